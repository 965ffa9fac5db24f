"""Which archive a file of the embedded store belongs to, and what its channel numbers mean.

Each file carries the id of its archive, and a day file the names of its own channels, so that a catalog that is lost, older or another
archive's never gives samples to other channels: the catalog is an index, made anew from the day files.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import structlog

from archioc.core.identity import new_id
from archioc.db.embedded.damage import Damage
from archioc.db.embedded.tables import CATALOG, FORMAT

if TYPE_CHECKING:
    from archioc.db.embedded.day_files import DayFiles

_log = structlog.get_logger()

ASKED = 7
"""So many day files, the newest, say which archive this is: most of them, and the catalog where as many say so as say otherwise."""

_USED = "select distinct channel from (select channel from sample union select channel from array_sample union select channel from alarm)"


@contextlib.contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that happens within is committed, or nothing."""
    cursor.begin()
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            cursor.rollback()
        raise
    cursor.commit()


def introduce(cursor: duckdb.DuckDBPyConnection, archive: str) -> None:
    """Have a day file that does not know its archive learn it; one of an earlier version gets the names of its channels from the catalog.

    Raises Damage for such a file whose names are lost with its catalog.
    """
    if not cursor.execute("select 1 from archive").fetchone():
        _name_channels(cursor)
        cursor.execute("insert into archive values (?, ?)", [archive, FORMAT])


def _name_channels(cursor: duckdb.DuckDBPyConnection) -> None:
    (numbered,) = cursor.execute(f'select coalesce(max(numbered), 0) from "{CATALOG}".archive').fetchone() or (0,)  # noqa: S608 - a constant
    known = f'select id, name from "{CATALOG}".channel where id < {numbered}'  # noqa: S608 - a number
    (lost,) = cursor.execute(f"select count(*) from ({_USED}) where channel not in (select id from ({known}))").fetchone() or (0,)  # noqa: S608 - constants
    if lost:
        raise Damage(f"was made by an earlier version, and the names of {lost} of its channels are lost with the catalog of that time")
    cursor.execute(f"insert into channel select id, name from ({known}) where id in ({_USED})")  # noqa: S608 - constants


def look_for_batch(cursor: duckdb.DuckDBPyConnection, name: str, expected: int) -> None:
    """Raises Damage when a file does not hold the newest batch that was committed to it: its log has gone."""
    if not expected:
        return
    table, column = ("archive", "batch") if name == CATALOG else ("batch", "id")
    (newest,) = cursor.execute(f"select coalesce(max({column}), 0) from {table}").fetchone() or (0,)  # noqa: S608 - constants
    if newest >= expected:
        return
    since = None
    if name != CATALOG:
        (since,) = cursor.execute("select max(time) from (select time from sample union all select time from array_sample)").fetchone() or (
            None,
        )
    raise Damage(f"batch {expected} was committed, batch {newest} is the newest in it: its log is lost", log=True, since_ns=since)


def look_for_stranger(cursor: duckdb.DuckDBPyConnection, archive: str) -> None:
    """Raises Damage for a day file of another archive."""
    found = cursor.execute("select id from archive").fetchone()
    if found is None or found[0] != archive:
        raise Damage(f"belongs to another archive ({found[0] if found else 'none'}), this one is {archive}")


def know_archive(files: DayFiles) -> None:
    """Learn the archive's id from catalog and day files, and bring the catalog's index of names up to date.

    A catalog of another archive than the newest day files is set aside.
    """
    row = _catalog_row(files)
    if files.read_only:
        files.archive = row[0] if row else ""
        return
    said = Counter(found for day in files.days()[-ASKED:] if (found := _peek(files, day)))
    most = max(said, key=lambda one: said[one]) if said else ""
    if row is not None and said and said[row[0]] < said[most]:
        files.replace_catalog(Damage(f"belongs to another archive ({row[0]}) than the day files beside it ({most})"))
        row = None
    if row is None:
        row = _begin_catalog(files, most or new_id())
    files.archive = row[0]
    _index(files)


def _peek(files: DayFiles, day: str) -> str:
    """The id of the archive that a day file belongs to, as it says; empty where it does not, or cannot be read."""
    place = str(files.path(day)).replace("'", "''")
    with files.catalog() as cursor, contextlib.suppress(duckdb.Error):
        cursor.execute(f"attach '{place}' as peeked (read_only)")
        try:
            found = cursor.execute("select id from peeked.archive").fetchone()
            return str(found[0]) if found else ""
        finally:
            cursor.execute("detach peeked")
    return ""


def _catalog_row(files: DayFiles) -> tuple[str, int] | None:
    with files.catalog() as cursor:
        try:
            found = cursor.execute("select id, numbered from archive").fetchone()
        except duckdb.CatalogException:  # of an earlier version, read only
            return None
    return (str(found[0]), int(found[1])) if found else None


def _begin_catalog(files: DayFiles, archive: str) -> tuple[str, int]:
    """Of a catalog that does not know its archive: a new one, or one of an earlier version, whose numbers the day files have."""
    with files.catalog() as cursor, transaction(cursor):
        (numbered,) = cursor.execute("select coalesce(max(id) + 1, 0) from channel").fetchone() or (0,)
        cursor.execute("insert into archive values (?, ?, ?, 0)", [archive, FORMAT, numbered])
        if numbered:
            cursor.execute("insert into day select unnest(?)", [files.days()])
        elif files.days():
            if files.path(CATALOG).name not in files.damaged.names():
                files.damaged.note_missing(files.path(CATALOG))
            _log.error("store_catalog_lost", days=len(files.days()), lost="metadata, events and audit of before")
    return archive, int(numbered)


def _index(files: DayFiles) -> None:
    """Bring the names of day files that the catalog does not know, and of the newest that it knows, into it."""
    for name in missing_files(files):
        files.damaged.note_missing(files.path(name))
        files.forget(name)
    listed = _listed(files)
    newest = max(listed, default="")
    for day in files.days():
        if day in listed and day != newest:
            continue
        with files.day(day) as cursor:
            names = [name for (name,) in cursor.execute("select name from channel").fetchall()]
        with files.catalog() as cursor, transaction(cursor):
            add_names(cursor, names)
            if day not in listed:
                cursor.execute("insert into day values (?)", [day])


def missing_files(files: DayFiles) -> list[str]:
    """Files that were there, and are neither beyond the retention nor set aside."""
    return [name for name in sorted((_listed(files) | set(files.committed.names())) - {CATALOG}) if not files.path(name).exists()]


def _listed(files: DayFiles) -> set[str]:
    with files.catalog() as cursor:
        try:
            return {name for (name,) in cursor.execute("select name from day").fetchall()}
        except duckdb.CatalogException:  # of an earlier version, read only
            return set()


def add_names(cursor: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """Bring names into a file that does not have them yet, each with a number of its own."""
    if not names:
        return
    cursor.execute(
        "insert into channel select (select coalesce(max(id) + 1, 0) from channel) + row_number() over (order by name) - 1, name"
        " from (select distinct unnest(?) as name) where name not in (select name from channel)",
        [names],
    )
