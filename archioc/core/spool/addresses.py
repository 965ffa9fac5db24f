"""Earlier addresses of a store: batches that were made for them go to the store of today (`archioc spool readdress`)."""

from __future__ import annotations

import contextlib

import orjson

from archioc.core.errors import SpoolError
from archioc.core.spool.disk import write_file
from archioc.core.spool.encoding import EMBEDDED
from archioc.core.spool.spool import SpoolDirectory


class Addresses:
    """`spool/readdressed.json`: earlier destination -> destination. Methods may raise OSError."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self._disk, self._path = spool.disk, spool.root / "readdressed.json"
        self._read: dict[str, str] = {}

    def refresh(self) -> bool:
        """Read the file; whether it says something else than before. A damaged file says nothing."""
        before, self._read = self._read, {}
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = orjson.loads(self._disk.read(self._path))
            self._read = {str(old): str(new) for old, new in found.items()} if isinstance(found, dict) else {}
        return self._read != before

    def leads_to(self, destination: str, store: str) -> bool:
        """Whether batches for a destination are for a store."""
        return store in (destination, self._read.get(destination))

    def readdress(self, old: set[str], new: str) -> None:
        """From now on batches for these destinations are for another. Raises SpoolError where the payloads do not fit."""
        if EMBEDDED in {*old, new}:
            raise SpoolError("batches for the embedded store cannot be sent to an InfluxDB, nor the other way round")
        self.refresh()
        known = {before: new if after in old else after for before, after in self._read.items()} | dict.fromkeys(old, new)
        known.pop(new, None)
        scratch = self._path.with_suffix(".new")
        write_file(self._disk, scratch, (orjson.dumps(known, option=orjson.OPT_INDENT_2),), durable=True)
        self._disk.rename(scratch, self._path)
