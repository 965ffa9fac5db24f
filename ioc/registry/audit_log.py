"""The audit as a file for people and log shippers: a line of JSON for each put, rotated by size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import orjson
import structlog

from archioc.core.timestamp import format_utc
from archioc.ioc.registry.audit import AuditEntry

AUDIT_LOG = "audit.jsonl"
"""Its name in the state directory."""

MAX_BYTES = 10_000_000
"""Size beyond which a new file is begun."""

KEPT_FILES = 5
"""The one that is written, and older ones `audit.jsonl.1` (the newest) and so on."""

_log = structlog.get_logger()


class AuditLog:
    """Appends to the file. One thread at a time may write.

    An error of the disk is logged once, until it is over: the entries are in `state.db` by then.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._failing = False

    def write(self, entries: Iterable[AuditEntry]) -> None:
        """Append a line for each."""
        lines = b"".join(_line(entry) for entry in entries)
        if not lines:
            return
        try:
            self._make_room(len(lines))
            with self._path.open("ab") as file:
                file.write(lines)
        except OSError as error:
            if not self._failing:
                _log.error("audit_log_not_written", file=str(self._path), error=str(error))
            self._failing = True
            return
        self._failing = False

    def _make_room(self, wanted: int) -> None:
        if not self._path.exists() or self._path.stat().st_size + wanted <= self._max_bytes:
            return
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _line(entry: AuditEntry) -> bytes:
    record = entry.record()
    return orjson.dumps({"time": format_utc(record.time_ns), **asdict(record)}, option=orjson.OPT_APPEND_NEWLINE)
