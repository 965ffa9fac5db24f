"""`archioc audit`: who put what to the control PVs."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.markup import escape
from rich.table import Table

from archioc.cli.output.columns_table import write_csv
from archioc.cli.output.terminal import TerminalConsole
from archioc.cli.status.status import PIPED_WIDTH
from archioc.core.audit import AuditRecord
from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.errors import TimeFormatError, UsageError
from archioc.core.registry import RegistryReader
from archioc.core.timestamp import format_local, format_utc, parse_time
from archioc.open_archive import open_reader

HEADER = ("time", "time_ns", "user", "host", "peer", "pv", "old", "new", "outcome")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which puts are wanted. pv, user, peer: globs. refused: only those that were refused."""

    pv: str = "*"
    user: str = "*"
    peer: str = "*"
    refused: bool = False

    def accepts(self, record: AuditRecord) -> bool:
        """Whether this one is wanted. A peer is matched with its port or without."""
        address = record.peer.rpartition(":")[0]
        return (
            fnmatch.fnmatchcase(record.pv, self.pv)
            and fnmatch.fnmatchcase(record.user, self.user)
            and (fnmatch.fnmatchcase(record.peer, self.peer) or fnmatch.fnmatchcase(address, self.peer))
            and not (self.refused and record.done)
        )


def show_audit(path: Path, wanted: AuditFilter, start: str, end: str, form: str, *, safe: bool = False) -> None:
    """Write the puts of a time as `table`, `csv` or `json`: those in the store, and those that are still on their way there.

    safe: texts of csv are no formulas of a spreadsheet. Raises UsageError, ConfigError, TimeFormatError, RegistryError, StoreError.
    """
    if safe and form != "csv":
        raise UsageError("--safe: is for --format csv; other forms have no formulas")
    now = time.time_ns()
    start_ns, end_ns = parse_time(start, now), parse_time(end, now)
    if end_ns < start_ns:
        raise TimeFormatError(f"the end ({format_utc(end_ns)}) lies before the start ({format_utc(start_ns)})")
    found = list(filter(wanted.accepts, _records(path, start_ns, end_ns)))
    if form == "csv":
        write_csv(HEADER, (tuple(_document(record).values()) for record in found), sys.stdout, safe=safe)
    else:
        _WRITERS[form](found)


def _records(path: Path, start_ns: int, end_ns: int) -> list[AuditRecord]:
    config = load_config(path)
    store = open_reader(config)
    try:
        found = {(record.time_ns, record.pv): record for record in store.audit(start_ns, end_ns)}
    finally:
        store.close()
    registry = RegistryReader(Directories(config.archiver.state_dir).registry)
    try:
        for record in registry.audit_between(start_ns, end_ns):
            found.setdefault((record.time_ns, record.pv), record)
    finally:
        registry.close()
    return [found[key] for key in sorted(found)]


def _write_table(records: Iterable[AuditRecord]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("time", "user", "peer", "pv", "old", "new", "outcome"):
        table.add_column(column)
    for one in records:
        style = "" if one.done else "yellow"
        table.add_row(format_local(one.time_ns), *map(escape, (one.user, one.peer, one.pv, one.old, one.new, one.outcome)), style=style)
    TerminalConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def _write_json(records: Iterable[AuditRecord]) -> None:
    sys.stdout.write(orjson.dumps([_document(record) for record in records], option=orjson.OPT_INDENT_2).decode() + "\n")


def _document(record: AuditRecord) -> dict[str, object]:
    return {"time": format_utc(record.time_ns), **asdict(record)}


_WRITERS = {"table": _write_table, "json": _write_json}
