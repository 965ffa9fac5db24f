"""`archioc explain`: what was stored around a moment, and why something was not."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path

import orjson

from archioc.cli.explain.causes import Explanation
from archioc.cli.explain.evidence import Evidence, gather
from archioc.cli.explain.verdict import Cause
from archioc.cli.output.sample_writers import event_document, event_line, sample_document, sample_line
from archioc.cli.output.terminal import TerminalConsole
from archioc.cli.selection import plain_name
from archioc.core.channel import SETTING_NAMES, ChannelSettings
from archioc.core.config.file import load_config
from archioc.core.events import ChannelEvent
from archioc.core.timestamp import format_local, format_span, format_utc, parse_time
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import concerns
from archioc.ioc.registry.archived import setting_text

_SHOWN_EVENTS = 10


def explain_moment(path: Path, channel: str, moment: str, form: str) -> None:
    """Write the explanation. Raises ConfigError, TimeFormatError, RegistryError."""
    now = time.time_ns()
    t_ns = parse_time(moment, now)
    explanation = Explanation.of(gather(load_config(path), plain_name(channel), t_ns, now))
    if form == "json":
        sys.stdout.write(orjson.dumps(_document(explanation), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
    else:
        _show(explanation, TerminalConsole(highlight=False, emoji=False, soft_wrap=True))


def _document(explanation: Explanation) -> dict[str, object]:
    evidence, first = explanation.evidence, explanation.causes[0]
    return {
        "channel": evidence.channel,
        "time": format_utc(evidence.t_ns),
        "time_ns": evidence.t_ns,
        "cause": first.word,
        "certain": first.certain,
        "text": first.text,
        "causes": [_cause_document(cause) for cause in explanation.causes],
        "before": _sample(evidence.stored.before),
        "after": _sample(evidence.stored.after),
        "events": [event_document(event) for event in _near(evidence)],
        "other_archivers": list(evidence.stored.others),
        "archived": evidence.archived is not None,
        "settings": None if evidence.settings is None else _settings(evidence.settings),
    }


def _cause_document(cause: Cause) -> dict[str, object]:
    document = asdict(cause)
    return {"cause": document.pop("word"), **document}


def _sample(found: SampleColumns | None) -> dict[str, object] | None:
    return None if found is None else sample_document(found, 0)


def _settings(settings: ChannelSettings) -> dict[str, str]:
    return {name: setting_text(settings, name) for name in SETTING_NAMES}


def _near(evidence: Evidence) -> list[ChannelEvent]:
    """Events of the hole, and gaps that lie over it."""
    low, high = evidence.hole
    return [event for event in evidence.events if concerns(event, low, high)]


def _show(explanation: Explanation, console: TerminalConsole) -> None:
    evidence, stored = explanation.evidence, explanation.evidence.stored
    name = evidence.channel if evidence.archived is None else evidence.archived.name
    now_called = f" (now {name})" if name != evidence.channel else ""
    console.print(f"{evidence.channel}{now_called} at {format_local(evidence.t_ns)}", style="bold", markup=False)
    for number, cause in enumerate(explanation.causes):
        style = "cyan" if number == 0 else "dim"
        sure = "" if cause.certain else " (likely)"
        console.print(f"  {'cause' if number == 0 else 'also':<9} {cause.word}{sure}: {cause.text}", style=style, markup=False)
        if cause.start_ns is not None:
            console.print(f"            {_when(cause)}", style=style, markup=False)
    for name, sample in (("before", stored.before), ("after", stored.after)):
        told = "none" if sample is None else sample_line(sample, 0)
        console.print(f"  {name:<9} {told}", markup=False)
    if evidence.settings is not None:
        given = ", ".join(f"{name}={text}" for name, text in _settings(evidence.settings).items() if text != _DEFAULTS[name])
        console.print(f"  settings  {given or 'all default'}", markup=False)
    if stored.others:
        console.print(f"  archivers this one, {', '.join(stored.others)}", markup=False)
    for event in _near(evidence)[:_SHOWN_EVENTS]:
        console.print(f"  event     {event_line(event)}", markup=False)


_DEFAULTS = _settings(ChannelSettings())


def _when(cause: Cause) -> str:
    assert cause.start_ns is not None
    if cause.end_ns is None:
        return f"since {format_local(cause.start_ns)}" if not cause.count else f"told at {format_local(cause.start_ns)}"
    lasted = format_span((cause.end_ns - cause.start_ns) / 1e9)
    return f"from {format_local(cause.start_ns)} to {format_local(cause.end_ns)}, {lasted}"
