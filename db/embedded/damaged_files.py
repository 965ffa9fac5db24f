"""The directory of files that were set aside, and of notes of what was lost with them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterable
from pathlib import Path

import orjson
import structlog

from archioc.core.errors import StoreUnavailable
from archioc.db.embedded.damage import Damage
from archioc.db.embedded.losses import Loss, loss_of

_log = structlog.get_logger()

PART = "damaged"
"""The directory for them, beside the others."""

_UNREPORTED = ".unreported"
"""Suffix of the note of a loss of which no event has been written yet: JSON of `Loss`."""

LOOK_S = 5.0
"""How old what is known of that directory may be; a person may have emptied it."""


class DamagedFiles:
    """The files that were set aside."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / PART
        self._known: list[str] = []
        self._known_at = float("-inf")
        self._unreported = True

    def note_missing(self, path: Path) -> None:
        """A file that should be there is not: report it like one that is set aside. Raises StoreUnavailable."""
        damage = Damage("is missing")
        try:
            self._note(path, damage)
        except OSError as error:
            raise StoreUnavailable(f"{path}: is missing, and {self.place} cannot be written: {error.strerror}") from None
        _log.error("store_file_missing", file=str(path))

    def set_aside(self, path: Path, damage: Damage) -> None:
        """Move a file, with its log, or its log alone, and say why in a text beside it. Raises StoreUnavailable."""
        try:
            self._move(path, damage)
        except OSError as error:
            raise StoreUnavailable(f"{path}: is damaged ({damage}) and cannot be set aside: {error.strerror}") from None
        _log.error("store_file_set_aside", file=str(path), only_its_log=damage.log, why=str(damage))

    def _move(self, path: Path, damage: Damage) -> None:
        """The loss is noted first: a kill between the two leaves a note of what is still there, never a loss without one."""
        stem = self._note(path, damage)
        for part in path.parent.glob(f"{path.name}*"):
            if part != path or not damage.log:
                part.rename(self.place / f"{stem}{part.name[len(path.name) :]}")

    def _note(self, path: Path, damage: Damage) -> str:
        self.place.mkdir(parents=True, exist_ok=True)
        stem = f"{path.name}.{time.time_ns() // 1_000_000}"
        (self.place / f"{stem}.txt").write_text(f"{damage}\n")
        (self.place / f"{stem}{_UNREPORTED}").write_bytes(orjson.dumps(dataclasses.asdict(loss_of(path.stem, damage))))
        self._unreported, self._known_at = True, float("-inf")
        return stem

    @property
    def has_unreported(self) -> bool:
        """Whether there may be losses of which no event has been written yet."""
        return self._unreported

    def unreported(self) -> dict[Path, Loss]:
        """These losses, each with the file that notes it, which goes once the events are written. Raises StoreUnavailable."""
        found = {}
        try:
            for path in self.place.glob(f"*{_UNREPORTED}"):
                with contextlib.suppress(ValueError, TypeError):  # cut by a power cut: the file beside it is still a fault
                    found[path] = Loss(**orjson.loads(path.read_bytes()))
        except OSError as error:
            raise StoreUnavailable(f"{self.place}: cannot be read: {error.strerror}") from None
        return found

    def reported(self, notes: Iterable[Path]) -> None:
        """Events of these losses have been written. Raises OSError."""
        for path in notes:
            path.unlink(missing_ok=True)
        self._unreported = False

    def words(self) -> str:
        """What a person should know of them; empty where there are none."""
        now = time.monotonic()
        if now - self._known_at >= LOOK_S:
            self._known, self._known_at = self.names(), now
        if not self._known:
            return ""
        more = f" and {len(self._known) - 1} more" if len(self._known) > 1 else ""
        return f"damaged and set aside: {self._known[-1]}{more}, in {self.place}"

    def names(self) -> list[str]:
        """Files of which something is there, the one set aside last at the end."""
        found: dict[str, int] = {}
        for path in self.place.glob("*.duckdb.*"):
            if path.name.endswith(_UNREPORTED):
                continue
            with contextlib.suppress(FileNotFoundError):  # a person takes it away just now
                found[path.name.split(".duckdb.")[0] + ".duckdb"] = path.stat().st_ctime_ns
        return sorted(found, key=lambda name: found[name])
