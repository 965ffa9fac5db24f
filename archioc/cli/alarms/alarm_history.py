"""`archioc alarms history`: what was in alarm, how often and how long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from rich.markup import escape
from rich.table import Table

from archioc.cli.alarms.alarm_summary import AlarmSummary, summarise, transitions
from archioc.cli.output.terminal import TerminalConsole
from archioc.cli.selection import Span, expand, open_archive
from archioc.cli.status.status import PIPED_WIDTH
from archioc.core.dbr import Severity, Status
from archioc.core.timestamp import format_local, format_span, format_utc
from archioc.db.store import Reader

Line = dict[str, object]


def show_history(path: Path, wanted: Sequence[str], start: str, end: str, top: int, form: str) -> None:
    """Write the channels that were in alarm, those with most alarms first.

    Raises ConfigError, TimeFormatError, UnknownChannel, StoreError.
    """
    span = Span.parse(start, end)
    until = min(span.end_ns, time.time_ns())
    with open_archive(path) as reader:
        found = [summarise(name, reader.alarms(name, span.start_ns, span.end_ns), span.start_ns, until) for name in expand(reader, wanted)]
    found = [one for one in found if one.transitions or one.in_alarm_s]
    found.sort(key=lambda one: (-one.raised, -one.in_alarm_s, one.channel))
    lines = [_line(one) for one in found[:top]]
    if form == "json":
        document = {"start_ns": span.start_ns, "end_ns": until, "channels": lines, "total": len(found)}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        return
    _show(lines, len(found))


def show_transitions(path: Path, wanted: Sequence[str], start: str, end: str, form: str) -> None:
    """Write every transition, channel by channel, after the state in force at the start. Raises as `show_history`."""
    span = Span.parse(start, end)
    with open_archive(path) as reader:
        for line in _transitions(reader, expand(reader, wanted), span):
            if form == "json":
                sys.stdout.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode())
            else:
                sys.stdout.write(
                    f"{format_local(int(str(line['time_ns'])))}  {line['severity']:<8}  {line['status']:<8}  {line['channel']}\n"
                )


def _transitions(reader: Reader, channels: Sequence[str], span: Span) -> Iterator[Line]:
    for name in channels:
        for chunk in transitions(reader.alarms(name, span.start_ns, span.end_ns)):
            for at, severity, status in zip(chunk.time.tolist(), chunk.severity.tolist(), chunk.status.tolist(), strict=True):
                yield {
                    "channel": name,
                    "time": format_utc(at),
                    "time_ns": at,
                    "severity": Severity(severity).name,
                    "status": Status(status).name if status < len(Status) else str(status),
                }


def _line(one: AlarmSummary) -> Line:
    return {
        "channel": one.channel,
        "raised": one.raised,
        "transitions": one.transitions,
        **{f"{severity.name.lower()}_s": round(one.seconds[severity], 3) for severity in Severity if severity},
        "most_in_a_minute": one.most_in_a_minute,
        "chattering": one.chattering,
    }


def _show(lines: Sequence[Line], total: int) -> None:
    console = TerminalConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    if not lines:
        console.print("no channel was in alarm")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in lines[0]:
        table.add_column(name.removesuffix("_s"), no_wrap=True, justify="left" if name == "channel" else "right")
    for line in lines:
        table.add_row(*(escape(_cell(value)) for value in line.values()))
    console.print(table)
    if total > len(lines):
        console.print(f"... {total - len(lines)} more", style="dim")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return format_span(value) if isinstance(value, float) else str(value)
