"""Which batch was committed last to each file: a small file beside them, which tells when the log of one of them has gone.

What DuckDB commits is in the log of a file (`.wal`) until a checkpoint. A log that was emptied, cut or removed leaves a file that opens
without a word. The note is made after the commit and without an fsync: after a kill it is there, after a power cut it may be older,
which says less and nothing wrong.
"""

from __future__ import annotations

from pathlib import Path

import orjson
import structlog

_log = structlog.get_logger()

FILE = "committed"
KEPT = 16
"""Files of which it is noted, those written last."""


class CommittedBatches:
    """Newest batch by the name of a file. A note that cannot be made is logged once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._newest: dict[str, int] | None = None
        self._failing = False

    def of(self, name: str) -> int:
        """The newest batch known to be in a file, 0 where none is."""
        return self._read().get(name, 0)

    def names(self) -> list[str]:
        """Files of which a batch is known."""
        return list(self._read())

    def note(self, names: list[str], batch: int) -> None:
        """A batch has been committed to these files."""
        known = self._read()
        for name in names:
            known[name] = max(known.pop(name, 0), batch)
        for name in list(known)[:-KEPT]:
            del known[name]
        self._write()

    def forget(self, name: str) -> None:
        """A file has gone."""
        if self._read().pop(name, None) is not None:
            self._write()

    def _read(self) -> dict[str, int]:
        if self._newest is None:
            try:
                found = orjson.loads(self._path.read_bytes())
                self._newest = {str(name): int(batch) for name, batch in found.items()}
            except (OSError, AttributeError, TypeError, ValueError):
                self._newest = {}
        return self._newest

    def _write(self) -> None:
        scratch = self._path.with_name(f"{FILE}.new")
        try:
            scratch.write_bytes(orjson.dumps(self._newest))
            scratch.replace(self._path)
        except OSError as error:
            if not self._failing:
                _log.warning("committed_not_noted", error=str(error))
            self._failing = True
        else:
            self._failing = False
