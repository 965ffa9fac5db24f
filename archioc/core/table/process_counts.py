"""How often the supervisor has restarted each process: a small file in the run directory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import orjson

from archioc.core.errors import RunDirError

_FILE = "restarts.json"


@dataclass(frozen=True, slots=True)
class ProcessCounts:
    """Restarts of each process since the archiver started."""

    ioc: int = 0
    engine: int = 0
    db: int = 0
    http: int = 0


def write_counts(run_dir: Path, counts: ProcessCounts) -> None:
    """Replace the counts; a reader sees the old ones or the new ones, never a part."""
    scratch = run_dir / f"{_FILE}.new"
    scratch.write_bytes(orjson.dumps(dataclasses.asdict(counts)))
    scratch.replace(run_dir / _FILE)


def read_counts(run_dir: Path) -> ProcessCounts:
    """The counts; all 0 when no supervisor has written any. Raises RunDirError for a damaged file."""
    path = run_dir / _FILE
    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return ProcessCounts()
    except orjson.JSONDecodeError as error:
        raise RunDirError(f"{path}: is damaged: {error}") from None
    fields = {field.name for field in dataclasses.fields(ProcessCounts)}
    if not isinstance(found, dict) or set(found) != fields or not all(type(count) is int for count in found.values()):
        raise RunDirError(f"{path}: was made by another version of ArchIOC; restart the archiver")
    return ProcessCounts(**found)
