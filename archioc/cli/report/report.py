"""`archioc report`: channels that want attention, from the channel table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
from rich.markup import escape
from rich.table import Table

from archioc.cli.output.terminal import TerminalConsole
from archioc.cli.status.status import PIPED_WIDTH
from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.errors import UsageError
from archioc.core.registry import RegistryReader
from archioc.core.table.columns import DROPS
from archioc.core.table.table import ChannelState, ChannelTable
from archioc.core.timestamp import SECOND, format_span
from archioc.core.units import parse_duration

UNSET_BEFORE_NS = 631_238_400 * SECOND
"""1990-01-02: a record that was never processed has the EPICS epoch, 1990-01-01, for its stamp."""

Cells = npt.NDArray[np.void]
Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of the archive that the table speaks of, column by column, sorted by name; `names` and cells have the same length."""

    names: list[str]
    status: Cells
    ledger: Cells
    delivery: Cells
    now_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a report lists. places: of channels, worst first. line: what is told of one."""

    places: npt.NDArray[np.intp]
    line: Callable[[int], Line]


def show_report(path: Path, what: str, top: int, older: str, form: str) -> None:
    """Write a report. Raises ConfigError, UsageError, RunDirError, RegistryError."""
    try:
        older_s = parse_duration(older)
    except ValueError as error:
        raise UsageError(f"--older {older}: {error}") from None
    channels = _read(Directories(load_config(path).archiver.state_dir))
    listing = _LISTINGS[what](channels, older_s)
    lines = [{"channel": channels.names[at], **listing.line(at)} for at in listing.places[:top].tolist()]
    if form == "json":
        document = {"report": what, "channels": lines, "total": len(listing.places)}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
    else:
        _show(what, lines, len(listing.places))


def _read(directories: Directories) -> Channels:
    """A copy of the rows. A row that the engine or the db process has not taken up yet has no counts."""
    table = ChannelTable(directories.run)
    table.open(read_only=True)
    try:
        registry = RegistryReader(directories.registry)
        try:
            found = sorted(registry.channels_since(0)[0], key=lambda one: one.name)
        finally:
            registry.close()
        rows = np.array([one.row for one in found], np.intp)
        generations = np.array([one.generation for one in found], "u4")
        status, ledger, delivery = (block.cells[rows].copy() for block in (table.status, table.ledger, table.delivery))
    finally:
        table.close()
    for block in (status, ledger, delivery):
        block[block["generation"] != generations] = np.zeros((), block.dtype)
    return Channels([one.name for one in found], status, ledger, delivery, time.time_ns())


def _never(channels: Channels, _: float) -> Listing:
    """Channels that have not been connected since they were added, or since the machine was started."""
    status = channels.status
    places = np.flatnonzero(status["ever_connected"] == 0)
    return Listing(places, lambda at: _state(status[at]))


def _silent(channels: Channels, older_s: float) -> Listing:
    """Connected channels whose newest update is older than that, the oldest first; those of which none has come before these."""
    status = channels.status
    quiet = (status["connected"] != 0) & (status["received_at"] < channels.now_ns - older_s * SECOND)
    places = _sorted(np.flatnonzero(quiet), status["received_at"])

    def line(at: int) -> Line:
        received = int(status["received_at"][at])
        return {"silent_s": (channels.now_ns - received) / SECOND if received else None, **_state(status[at])}

    return Listing(places, line)


def _noisy(channels: Channels, _: float) -> Listing:
    """Channels by updates per second, most first."""
    status = channels.status
    places = _sorted(np.flatnonzero(status["event_rate"] > 0), -status["event_rate"])
    return Listing(places, lambda at: {"updates_per_s": _rate(status["event_rate"][at]), "samples_per_s": _rate(status["sample_rate"][at])})


def _dropped(channels: Channels, _: float) -> Listing:
    """Channels with losses, by how many."""
    ledger, delivery = channels.ledger, channels.delivery
    lost = sum((ledger[name] for name in DROPS), delivery["rejected"].copy())
    places = _sorted(np.flatnonzero(lost > 0), -lost)

    def line(at: int) -> Line:
        reasons: Line = {name.removeprefix("dropped_"): int(ledger[name][at]) for name in DROPS}
        return {"lost": int(lost[at]), **reasons, "rejected": int(delivery["rejected"][at])}

    return Listing(places, line)


def _storage(channels: Channels, _: float) -> Listing:
    """Channels by samples stored since the counters began, most first."""
    stored, status = channels.delivery["stored"], channels.status
    total = int(stored.sum())
    places = _sorted(np.flatnonzero(stored > 0), -stored)

    def line(at: int) -> Line:
        own = int(stored[at])
        return {"samples": own, "share_pct": round(100 * own / total, 3), "samples_per_s": _rate(status["sample_rate"][at])}

    return Listing(places, line)


def _clocks(channels: Channels, _: float) -> Listing:
    """Of each server the live channel whose stamp is furthest ahead of its receive time, the largest offsets first.

    What comes late makes a stamp look older, never newer, so this channel shows the clock best. A value that came with the connection
    only has the time of when its record was processed, and shows nothing.
    """
    status, ledger = channels.status, channels.ledger
    live = (status["connected"] != 0) & (ledger["received"] > 1) & (status["time"] > UNSET_BEFORE_NS)
    offset = np.where(live, status["time"] - status["received_at"], 0)
    servers: dict[bytes, list[int]] = {}
    for at in np.flatnonzero(live).tolist():
        servers.setdefault(bytes(status["host"][at]), []).append(at)
    shown = np.array([max(of, key=lambda at: int(offset[at])) for of in servers.values()], np.intp)

    def line(at: int) -> Line:
        of = servers[bytes(status["host"][at])]
        return {
            "server": bytes(status["host"][at]).decode(errors="replace"),
            "offset_s": round(float(offset[at]) / SECOND, 3),
            "channels": len(of),
            "bad_time": int(ledger["bad_time"][of].sum()),
        }

    return Listing(_sorted(shown, -np.abs(offset)), line)


_LISTINGS: dict[str, Callable[[Channels, float], Listing]] = {
    "never": _never,
    "silent": _silent,
    "noisy": _noisy,
    "dropped": _dropped,
    "storage": _storage,
    "clocks": _clocks,
}


def _sorted(places: npt.NDArray[np.intp], by: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    found: npt.NDArray[np.intp] = places[np.argsort(by[places], kind="stable")]
    return found


def _rate(number: np.floating) -> float:
    return round(float(number), 3)


def _state(status: np.void) -> Line:
    state = ChannelState(int(status["state"])).name.lower() if int(status["generation"]) else "new"
    return {"state": state, "reason": bytes(status["reason"]).decode(errors="replace")}


def _show(what: str, lines: Sequence[Line], total: int) -> None:
    console = TerminalConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    if not lines:
        console.print(f"{what}: no channel")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in lines[0].items():
        table.add_column(name, no_wrap=True, justify="left" if isinstance(value, str) else "right")
    for line in lines:
        table.add_row(*(escape(_cell(name, value)) for name, value in line.items()))
    console.print(table)
    if total > len(lines):
        console.print(f"... {total - len(lines)} more", style="dim")


def _cell(name: str, value: object) -> str:
    if name == "silent_s":
        return format_span(value) if isinstance(value, float) else "always"
    return "" if value is None else str(value)
