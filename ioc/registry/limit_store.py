"""Alarm limits that operators have put, in the table `alarm_limit` of `state.db`."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

from archioc.core.errors import RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S
from archioc.ioc.registry.audit import AuditEntry


class LimitStore:
    """Reads and writes the table. NaN (no limit) is stored as NULL. Raises RegistryError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[tuple[str, str], float]:
        """By PV (without prefix) and field."""
        try:
            with closing(self._connect()) as connection:
                rows = connection.execute("SELECT pv, field, value FROM alarm_limit").fetchall()
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: alarm limits cannot be read: {error}") from None
        return {(pv, field): math.nan if value is None else float(value) for pv, field, value in rows}

    def write(self, pv: str, field: str, value: float, entry: AuditEntry) -> None:
        """Have a limit and the audit of its put on disk, both or none."""
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    connection.execute("INSERT OR REPLACE INTO alarm_limit VALUES (?, ?, ?)", (pv, field, value))
                    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entry.columns())
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: the limit cannot be written: {error}") from None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)
