"""Where the samples of a world are: in the spool, in its stores, in quarantine or nowhere; read from the model disk alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson

from archioc.core.errors import QuarantineError, SpoolFileDamaged
from archioc.core.spool.file import parse_spool_file
from archioc.core.spool.spool import SpoolFile
from archioc.db.delivery.quarantine import parse_entry
from tests.unit.core.spool.model_disk import ModelDisk
from tests.unit.core.spool.model_store import ModelStore, Told, told_by, values_in

PARTS = ("new", "sending", "dropping")
"""Where files wait."""


class Whereabouts:
    """Looks at a spool and its stores. Samples are told by their numbers."""

    def __init__(self, disk: ModelDisk, root: Path, stores: Sequence[ModelStore]) -> None:
        self._disk, self._root, self._stores = disk, root, stores
        self._damaged: dict[str, list[int]] = {}
        """Numbers in files that were damaged on purpose, by name of the file."""
        self._damaged_told: dict[str, Told] = {}

    def names(self, part: str) -> list[str]:
        """Of the files in a part of the spool."""
        return [path.name for path, _ in self._disk.content(self._root / part)]

    def files(self, *parts: str) -> list[SpoolFile]:
        """Those that are whole; others must have been damaged on purpose."""
        found = []
        for path, raw in (one for part in parts for one in self._disk.content(self._root / part)):
            try:
                found.append(parse_spool_file(raw, path))
            except SpoolFileDamaged:
                assert path.name in self._damaged, f"{path} is damaged"
        return found

    def damage(self, part: str) -> None:
        """The first file that is whole gets a wrong bit in its payload."""
        for path, raw in self._disk.content(self._root / part):
            if path.name not in self._damaged:
                file = parse_spool_file(raw, path)
                self._damaged[path.name], self._damaged_told[path.name] = values_in(file), told_by(file)
                self._disk.damage(path, len(raw) - 1)
                return

    def damaged(self) -> dict[Path, list[int]]:
        """Numbers in damaged files that still wait."""
        paths = [path for part in PARTS for path, _ in self._disk.content(self._root / part)]
        return {path: self._damaged[path.name] for path in paths if path.name in self._damaged}

    def found(self) -> set[int]:
        """Numbers that are anywhere."""
        found = self._stored() | {number for file in self.files(*PARTS) for number in values_in(file)}
        return found | {number for name in self._damaged_names() for number in self._damaged[name]}

    def told(self) -> Counter[str]:
        """Dropped samples of each channel of which events in stores and in the spool tell."""
        told: Told = {}
        for store in self._stores:
            told |= store.told
        for file in self.files(*PARTS):
            told |= told_by(file)
        for name in self._damaged_names():
            told |= self._damaged_told[name]
        found: Counter[str] = Counter()
        for (name, _), count in told.items():
            found[name] += count
        return found

    def _stored(self) -> set[int]:
        """Numbers in a store or in the quarantine."""
        stored = {number for store in self._stores for number in store.values}
        for path, raw in self._disk.content(self._root / "quarantine"):
            if path.suffix == ".json":
                stored |= _numbers_in_entry(raw, path)
        return stored

    def _damaged_names(self) -> set[str]:
        """Of damaged files that wait or are set aside."""
        return {*self.names("damaged"), *(path.name for path in self.damaged())}


def _numbers_in_entry(raw: bytes, path: Path) -> set[int]:
    try:
        entry = parse_entry(raw, path)
    except QuarantineError:
        raise AssertionError(f"quarantine/{path.name} is damaged") from None
    return {number for refusal in entry.refusals for number in orjson.loads(refusal.content)}
