"""The files of the embedded store: one for each UTC day, one for what comes much later than its day, and a catalog beside them.

One DuckDB instance has them attached, a bounded number at a time; every use has a cursor of its own, so that queries run beside the
delivery. A file that is damaged, or belongs to another archive, is set aside, and a new one takes its place.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import duckdb

from archioc.core.errors import StoreUnavailable
from archioc.db.embedded import identity
from archioc.db.embedded.committed import CommittedBatches
from archioc.db.embedded.damage import NO_DATABASE, Damage, damage_in, is_fatal
from archioc.db.embedded.damaged_files import DamagedFiles
from archioc.db.embedded.days import LATE
from archioc.db.embedded.instance import Instance
from archioc.db.embedded.numbers import ChannelNumbers
from archioc.db.embedded.open_errors import identity_of, raise_unavailable
from archioc.db.embedded.tables import CATALOG, complete, lacking, needed

MAX_ATTACHED = 8
"""Day files kept open when nobody uses them."""

BLOCK_BYTES = 65_536
"""Of DuckDB's blocks, in new files: a file with a few samples takes 150 kB, with 262 144 four times as much."""

_SUFFIX = ".duckdb"
_ATTEMPTS = 3


class DayFiles:
    """Opens the files of one directory. Methods raise StoreUnavailable when a file cannot be used."""

    def __init__(self, directory: Path, *, read_only: bool) -> None:
        self._directory, self.read_only = directory, read_only
        self._lock = threading.RLock()
        self._users: OrderedDict[str, int] = OrderedDict()
        self._condemned: dict[str, Damage] = {}
        self._attached: dict[str, tuple[int, int] | None] = {}
        self._instance: Instance | None = None
        self._ending: Instance | None = None
        self.ill = False  # DuckDB, or the catalog, must be opened anew
        self.archive = ""
        self.damaged = DamagedFiles(directory)
        self.committed = CommittedBatches(directory)
        self.numbers = ChannelNumbers()

    def open(self) -> None:
        """Open the catalog, which is made anew from the day files where it is lost; does nothing when it is open."""
        with self._lock:
            if self._instance is not None and not self.ill:
                return
            self.close()
            self._make_directory()
            for _ in range(_ATTEMPTS):
                try:
                    self._open_all()
                except duckdb.Error as error:
                    self.close()
                    if damage_in(error) is None or self.read_only:
                        raise StoreUnavailable(f"{self._directory}: cannot be opened: {' '.join(str(error).split())}") from None
                except BaseException:
                    self.close()
                    raise
                else:
                    return
            raise StoreUnavailable(f"{self._directory}: files are damaged again and again")

    def _open_all(self) -> None:
        """Start DuckDB, and open the catalog. What has been found damaged meanwhile goes first."""
        if self._ending is not None and not self._ending.close():
            raise StoreUnavailable(f"{self._directory}: a statement on the embedded store has not ended yet")
        self._ending, self.ill = None, False
        for name in list(self._condemned):
            self._set_aside(name, self._condemned.pop(name))
        self._instance = Instance(self._directory / "tmp")
        self._open_file(CATALOG)
        identity.know_archive(self)

    def _make_directory(self) -> None:
        if self.read_only and not self.path(CATALOG).exists():
            days = len(self.days())
            lost = f"catalog{_SUFFIX} is missing beside {days} day files: start the archiver once, which makes it from them"
            raise StoreUnavailable(f"{self._directory}: {lost if days else 'there is no embedded store yet'}")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._directory}: cannot hold the embedded store: {error.strerror}") from None

    def days(self) -> list[str]:
        """Days for which there is a file, oldest first."""
        return sorted(path.stem for path in self._directory.glob(f"????-??-??{_SUFFIX}"))

    @property
    def has_late(self) -> bool:
        """Whether there is a file with late samples."""
        return self.path(LATE).exists()

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self._directory / f"{name}{_SUFFIX}"

    @contextlib.contextmanager
    def catalog(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on the catalog."""
        try:
            with self._opened().cursor() as cursor:
                self._use(cursor, CATALOG)
                yield cursor
        except Exception as error:
            self._note(CATALOG, error)
            raise

    @contextlib.contextmanager
    def day(self, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on the file of a day, or on LATE, which is made when it is not there (unless read-only).

        When what is done with it finds damage, the file is set aside as soon as nobody uses it.
        """
        try:
            self._take(name)
        except duckdb.Error as error:  # interrupted, or fatal
            self._note(name, error)
            raise StoreUnavailable(f"{self.path(name)}: cannot be opened: {' '.join(str(error).split())}") from error
        try:
            with self._opened().cursor() as cursor:
                self._use(cursor, name)
                yield cursor
        except Exception as error:
            self._note(name, error)
            raise
        finally:
            self._release(name)

    def _use(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        if not self.read_only and identity_of(self.path(name)) != self._attached.get(name):
            self.ill = True  # opened anew, it is missed; DuckDB would go on in a file without a name
            raise StoreUnavailable(f"{self.path(name)}: was removed or replaced while the archiver runs")
        try:
            cursor.execute(f'use "{name}"')
        except duckdb.Error as error:
            raise StoreUnavailable(f"{self.path(name)}: cannot be used: {' '.join(str(error).split())}") from error

    def _note(self, name: str, error: Exception) -> None:
        """See what an error means for a file, and for DuckDB, which does nothing more after a fatal one."""
        if self.read_only:
            return
        if is_fatal(error):
            self.ill = True
        elif (found := damage_in(error)) is not None:
            self._condemned.setdefault(name, found)
            self.ill = self.ill or name == CATALOG

    def remove(self, day: str) -> bool:
        """Delete the file of a day; False when a query is using it."""
        with self._lock:
            if self._users.get(day):
                return False
            if day in self._users:
                self._detach(day)
            # The file last: without it, a left-over log would be nobody's.
            for path in (self.path(day).with_name(f"{day}{_SUFFIX}.wal"), self.path(day)):
                path.unlink(missing_ok=True)
        self.forget(day)
        return True

    def forget(self, name: str) -> None:
        """A file has gone, and nobody expects it any more. Raises duckdb.Error."""
        with self.catalog() as cursor:
            cursor.execute("delete from day where name = ?", [name])
        self.committed.forget(name)

    def checkpoint(self) -> None:
        """Bring what the logs of open files hold into the files. Raises duckdb.Error, StoreUnavailable."""
        with self._lock:
            names = [CATALOG, *self._users]
        for name in names:
            if self.path(name).with_name(f"{name}{_SUFFIX}.wal").exists():
                with self.catalog() if name == CATALOG else self.day(name) as cursor:
                    cursor.execute(f'checkpoint "{name}"')

    def interrupt(self) -> None:
        """End what runs; the files must be closed then."""
        if self._instance is not None:
            self._instance.interrupt()

    def close(self) -> bool:
        """Close all files; False when a statement goes on, and then they are closed before they are opened again."""
        with self._lock:
            ending, self._instance = self._instance, None
            self._users.clear()
            self.numbers.clear()
            if ending is None or ending.close():
                return True
            self._ending = ending
            return False

    def _opened(self) -> Instance:
        with self._lock:  # nobody sees it half open
            if self._instance is None:
                raise StoreUnavailable(f"{self._directory}: the embedded store is not open")
            return self._instance

    def _take(self, name: str) -> None:
        with self._lock:
            if name in self._condemned:
                raise StoreUnavailable(f"{self.path(name)}: is damaged, and set aside as soon as nobody reads it")
            if name not in self._users:
                self._open_file(name)
                self._users[name] = 0
            self._users[name] += 1
            self._users.move_to_end(name)
            idle = [other for other, users in self._users.items() if not users]
            for other in idle[: max(0, len(self._users) - MAX_ATTACHED)]:
                self._detach(other)

    def _release(self, name: str) -> None:
        with self._lock:
            if name not in self._users:
                return  # all files were closed meanwhile
            self._users[name] -= 1
            if not self._users[name] and name in self._condemned:
                self._detach(name)
                self._set_aside(name, self._condemned.pop(name))

    def _detach(self, day: str) -> None:
        del self._users[day]
        self.numbers.forget(day)
        with self._opened().cursor() as cursor:
            cursor.execute(f'detach "{day}"')

    def _open_file(self, name: str) -> None:
        """Attach a file; one that will never open is set aside, and a new one takes its place."""
        for _ in range(_ATTEMPTS):
            try:
                self._attach(name)
            except Damage as damage:
                if self.read_only:
                    raise StoreUnavailable(f"{self.path(name)}: is damaged: {damage}; the archiver sets it aside when it runs") from None
                if name == CATALOG and NO_DATABASE in str(damage) and not self.days() and self.path(name).stat().st_size:
                    raise StoreUnavailable(f"{self.path(name)}: cannot be opened: {damage}; nothing shows that it is ours") from None
                self._set_aside(name, damage)
            else:
                return
        raise StoreUnavailable(f"{self.path(name)}: is damaged again and again")

    def _attach(self, name: str) -> None:
        """Raises Damage."""
        path, size = self.path(name), "" if self.path(name).exists() else f", block_size {BLOCK_BYTES}"
        place = str(path).replace("'", "''")
        if path.is_dir():
            raise Damage("is a directory")
        with self._opened().cursor() as cursor:
            try:
                cursor.execute(f"attach '{place}' as \"{name}\" ({'read_only' if self.read_only else f'read_write{size}'})")
            except duckdb.Error as error:
                raise_unavailable(path, error)
            self._attached[name] = identity_of(path)
            try:
                self._make_whole(cursor, name)
            except BaseException as error:
                with contextlib.suppress(duckdb.Error):
                    cursor.execute("use memory")
                    cursor.execute(f'detach "{name}"')
                if isinstance(error, duckdb.Error):
                    raise_unavailable(path, error)
                raise

    def _make_whole(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        """See that an attached file is ours and has what it should; make what a new one, or one of an earlier version, lacks."""
        missing = lacking(cursor, name)
        if self.read_only and (words := ", ".join(f"{table}.{column}" for table, column in needed(name, missing))):
            raise StoreUnavailable(f"{self.path(name)}: made by an older version, without {words}: start the archiver once")
        cursor.execute(f'use "{name}"')
        if not self.read_only:
            with identity.transaction(cursor):
                complete(cursor, name, missing)
                if name != CATALOG:
                    identity.introduce(cursor, self.archive)
            identity.look_for_batch(cursor, name, self.committed.of(name))
        if name != CATALOG and self.archive and not (self.read_only and ("archive", "id") in missing):
            identity.look_for_stranger(cursor, self.archive)

    def replace_catalog(self, damage: Damage) -> None:
        """Set the catalog aside, and begin a new one."""
        with self._lock:
            with self._opened().cursor() as cursor:
                cursor.execute(f'detach "{CATALOG}"')
            self._set_aside(CATALOG, damage)
            self._open_file(CATALOG)

    def _set_aside(self, name: str, damage: Damage) -> None:
        self.damaged.set_aside(self.path(name), damage)
        self.committed.forget(name)
