"""Which channels and which time a command is about."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archioc.core.config.file import load_config
from archioc.core.errors import TimeFormatError, UnknownChannel
from archioc.core.timestamp import format_utc, parse_time
from archioc.db.store import Reader
from archioc.open_archive import open_reader


@dataclass(frozen=True, slots=True)
class Span:
    """start <= time <= end; ns since 1970 UTC."""

    start_ns: int
    end_ns: int

    @classmethod
    def parse(cls, start: str, end: str) -> Span:
        """From what was written on the command line. Raises TimeFormatError."""
        now = time.time_ns()
        start_ns, end_ns = parse_time(start, now), parse_time(end, now)
        if end_ns < start_ns:
            raise TimeFormatError(f"the end ({format_utc(end_ns)}) lies before the start ({format_utc(start_ns)})")
        return cls(start_ns, end_ns)


@contextmanager
def open_archive(config: Path, *, as_stored: bool = False) -> Iterator[Reader]:
    """A reader of the archive with this configuration. as_stored: names as the store has them. Raises ConfigError, StoreError."""
    reader = open_reader(load_config(config), as_stored=as_stored)
    try:
        yield reader
    finally:
        reader.close()


def expand(reader: Reader, wanted: Iterable[str]) -> list[str]:
    """The channels meant, each once. A name is taken as it is first, since names may hold brackets. Raises UnknownChannel."""
    found: dict[str, None] = {}
    for pattern in wanted:
        name = plain_name(pattern)
        names = list(reader.names(_literal(name))) or list(reader.names(pattern))
        if not names:
            raise UnknownChannel(pattern)
        found |= dict.fromkeys(names)
    return list(found)


def plain_name(written: str) -> str:
    """The name under which a channel is archived."""
    return written.removeprefix("ca://").removesuffix(".VAL")


def _literal(name: str) -> str:
    """A glob that matches this name alone."""
    return "".join(f"[{ch}]" if ch in "*?[" else ch for ch in name)
