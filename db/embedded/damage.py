"""What the words of DuckDB say about the content of a file: damage, or something that may pass."""

from __future__ import annotations

import duckdb

NO_DATABASE = "not a valid DuckDB database file"

_WORDS = (
    NO_DATABASE,
    "Corrupt database file",
    "Could not read enough bytes",
    "computed checksum",
    "Failed to deserialize",
    "is a directory",
)
_WORDS_OF_A_LOG = ("Corrupt WAL file", "Corrupt WAL", "does not match")


class Damage(Exception):
    """A file cannot be used and never will. log: only what was written since its last checkpoint is lost.

    since_ns: samples up to here are there; None where none are.
    """

    def __init__(self, why: str, *, log: bool = False, since_ns: int | None = None) -> None:
        super().__init__(" ".join(why.split()))
        self.log, self.since_ns = log, since_ns


def damage_in(error: BaseException | None) -> Damage | None:
    """What an error, or one that it was made from, says of the content of a file; None where it says nothing of it."""
    while error is not None:
        if isinstance(error, Damage):
            return error
        text = str(error)
        if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.OutOfMemoryException):
            if "WAL" in text and any(words in text for words in _WORDS_OF_A_LOG):
                return Damage(text, log=True)
            if any(words in text for words in _WORDS) or isinstance(error, duckdb.SerializationException):
                return Damage(text)
        error = error.__cause__ or error.__context__
    return None


def is_fatal(error: BaseException | None) -> bool:
    """Whether DuckDB does nothing more after an error, or one that it was made from, before it is opened anew."""
    while error is not None:
        if isinstance(error, duckdb.FatalException | duckdb.InternalException) or "database has been invalidated" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
