"""`archioc quarantine`: what the store has refused for good.

The db process alone sends and books samples; `retry` only tells it to, by moving entries.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import orjson
from rich.table import Table

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.directories import Directories, is_locked
from archioc.core.errors import QuarantineError
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.encoding import destination_of
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.timestamp import format_local, format_utc
from archioc.db.delivery.quarantine import Quarantine, QuarantineEntry, batch_of

WAIT_S = 10.0
"""How long `retry` waits for a running archiver."""

_POLL_S = 0.1
_WIDE = 250
_SHOWN_WORDS = 160
_SHOWN_CHANNELS = 3


def list_entries(path: Path, form: str) -> None:
    """Write all entries, as `table` or `json`. Raises ConfigError, QuarantineError."""
    quarantine = _quarantine(load_config(path))
    entries = [quarantine.read(one) for one in (*quarantine.entries(), *quarantine.waiting())]
    if form == "json":
        documents = [_document(entry) for entry in entries]
        sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("batch", "committed", "samples", "channels", "why"):
        table.add_column(column, no_wrap=True, justify="right" if column == "samples" else "left")
    for entry in entries:
        waits = "(to be sent again) " if entry.waits else ""
        why = waits + _in_a_line(entry.refusals[0].message)[:_SHOWN_WORDS]
        table.add_row(str(entry.batch_id), format_local(entry.committed_ns), str(entry.samples), _some(entry.channels()), why)
    # Where no terminal sets the width, nothing is cut off.
    console = TerminalConsole(highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(table if entries else "nothing is in the quarantine")


def show_entry(path: Path, batch_id: int) -> None:
    """Write one entry: the server's words, and under them what they are about. Raises ConfigError, QuarantineError."""
    quarantine = _quarantine(load_config(path))
    entry = quarantine.read(quarantine.find(batch_id))
    out = sys.stdout
    out.write(f"batch      {entry.batch_id}\ncommitted  {format_utc(entry.committed_ns)}\n")
    out.write(f"for        {entry.destination}\nsamples    {entry.samples}\n")
    for refusal in entry.refusals:
        out.write(f"\n# {_in_a_line(refusal.message)}\n")
        out.write(refusal.content.decode() + "\n" if entry.lines() else f"({len(refusal.content)} bytes for the embedded store)\n")


def retry_entries(path: Path, batches: Iterable[int]) -> int:
    """Have entries sent once more, all there are when none is named; the exit code: 1 when some were refused again.

    Raises ConfigError; QuarantineError before anything is moved.
    """
    config = load_config(path)
    quarantine = _quarantine(config)
    chosen = [quarantine.read(found) for found in _chosen(quarantine, batches)]
    destination = destination_of(config.store)
    addresses = Addresses(SpoolDirectory(Directories(config.archiver.state_dir).spool))
    addresses.refresh()
    for entry in chosen:
        if not addresses.leads_to(entry.destination, destination):
            raise QuarantineError(f"{entry.batch_id}: was made for {entry.destination}, the store is {destination}")
    moved = {quarantine.want_retry(entry.path): entry for entry in chosen}
    say = TerminalConsole(highlight=False, soft_wrap=True, emoji=False, markup=False).print
    if not is_locked(Directories(config.archiver.state_dir)):
        say(f"{_batches(len(moved))} will be sent when the archiver is started")
        return 0
    until = time.monotonic() + WAIT_S
    while any(one.exists() for one in moved) and time.monotonic() < until:
        time.sleep(_POLL_S)
    waiting = [one for one in moved if one.exists()]
    # What was refused again stands where it stood before.
    back = {batch_of(one) for one in quarantine.entries()}
    returned = [entry.batch_id for one, entry in moved.items() if one not in waiting and entry.batch_id in back]
    refused = [quarantine.read(quarantine.find(batch_id)) for batch_id in returned]
    for entry in refused:
        say(f"{entry.batch_id}: {entry.samples} samples were refused again: {_in_a_line(entry.refusals[0].message)}")
    stored = len(moved) - len(waiting) - len(refused)
    say(f"{_batches(stored)} stored" + (f", {_batches(len(waiting))} still waiting for the store" if waiting else ""))
    return 1 if refused else 0


def export_entries(path: Path, batches: Iterable[int]) -> None:
    """Write the line protocol of entries. Raises ConfigError; QuarantineError, also for what is no line protocol."""
    quarantine = _quarantine(load_config(path))
    for found in _chosen(quarantine, batches):
        entry = quarantine.read(found)
        lines = entry.lines()
        if not lines:
            raise QuarantineError(f"{entry.batch_id}: was made for {entry.destination} and is no line protocol")
        sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
    sys.stdout.flush()


def _quarantine(config: Config) -> Quarantine:
    return Quarantine(Directories(config.archiver.state_dir).spool)


def _chosen(quarantine: Quarantine, batches: Iterable[int]) -> list[Path]:
    return [quarantine.find(batch_id) for batch_id in batches] or [*quarantine.entries(), *quarantine.waiting()]


def _document(entry: QuarantineEntry) -> dict[str, object]:
    return {
        "batch": entry.batch_id,
        "committed": format_utc(entry.committed_ns),
        "committed_ns": entry.committed_ns,
        "destination": entry.destination,
        "samples": entry.samples,
        "channels": entry.channels(),
        "words": [refusal.message for refusal in entry.refusals],
        "retry": entry.waits,
        "file": str(entry.path),
    }


def _some(channels: list[str]) -> str:
    rest = len(channels) - _SHOWN_CHANNELS
    return " ".join(channels[:_SHOWN_CHANNELS]) + (f" and {rest} more" if rest > 0 else "")


def _batches(number: int) -> str:
    return "1 batch" if number == 1 else f"{number} batches"


def _in_a_line(words: str) -> str:
    return " ".join(words.split())
