"""What this state directory knows of the archives that it has written to: `archive.json`.

An InfluxDB cannot be told from an empty or older one by looking at it alone. The record says since when we write there, and when we last
signed (`archioc.db.influx.archive_sign`), so that an archive that is new, emptied or restored is detected, and none is made anew silently.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from archioc.core.spool.disk import OsDisk, write_file

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KnownArchive:
    """An archive that we have written to.

    since_ns: when we first signed there, and it held what we had written since. signed_ns: time of the newest sign that it acknowledged.
    policy: retention policy (1.x) that samples go to; empty where the server has none.
    """

    since_ns: int
    signed_ns: int
    policy: str = ""


class ArchiveRecord:
    """The file. One process writes it; others may read it. archive_id: that of the state directory, with which we sign."""

    def __init__(self, path: Path, archive_id: str = "") -> None:
        self._path, self.archive_id = path, archive_id

    def find(self, destination: str) -> KnownArchive | None:
        """What is known of an archive; None when we have never written there. Raises OSError.

        A damaged file is no first start: every archive is then one of which nothing but this is known.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            found = orjson.loads(content)
            return KnownArchive(**found[destination]) if destination in found else None
        except (ValueError, TypeError):
            _log.warning("archive_record_damaged", file=str(self._path))
            return KnownArchive(0, 0)

    def note(self, destination: str, known: KnownArchive) -> None:
        """Remember an archive, durably. Raises OSError."""
        archives: dict[str, object] = {}
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = orjson.loads(self._path.read_bytes())
            archives = found if isinstance(found, dict) else {}
        archives[destination] = asdict(known)
        disk, scratch = OsDisk(), self._path.with_suffix(".new")
        write_file(disk, scratch, (orjson.dumps(archives, option=orjson.OPT_INDENT_2),), durable=True)
        disk.rename(scratch, self._path)
        disk.sync_directory(self._path.parent)
