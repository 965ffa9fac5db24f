"""What an answer of a server means: who gives it, what it says, and whether it can be read.

Between us and an InfluxDB there may be a proxy, a log-in page or another server, each with answers of its own. An answer
counts as InfluxDB's when it has the header `X-Influxdb-Version`, which 1.x and 2.x send with each answer (openGemini:
`X-Geminidb-Version`), or an error in the JSON of InfluxDB. What anybody else says is no word about our samples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from archioc.core.errors import QueryError, StoreDenied, StoreError, StoreRejected, StoreTooLarge, StoreUnavailable

VERSION_HEADER = "X-Influxdb-Version"

GEMINI_HEADER = "X-Geminidb-Version"
"""openGemini speaks as InfluxDB 1.x does, and sends this header with each answer."""

MAX_RETRY_AFTER_S = 86_400.0

Shown = Callable[[bytes | str], str]
"""Makes words of a server fit to be shown (`ServerWords.shown`)."""

Series = dict[str, Any]
"""A series of an answer to InfluxQL: `columns` (names), `values` (rows of the same length), `tags` (texts), all of them there."""

_NOT_A_NUMBER_OF_JSON = re.compile(rb"json: unsupported value")

_ABOUT_LINES = re.compile(r"partial write|unable to parse")

_LIMIT = re.compile(r"^(?:[a-z ]+: )*(?:max-(?:values|series)-per-[a-z]+ limit exceeded|[A-Za-z ]{1,60} would exceed [a-z ]*limit)")
"""Limits on channels of 1.x (`max-values-per-tag`, `max-series-per-database`), and on databases, tables and columns of 3.x."""

_CAUSE = 200

_NOTHING = re.compile(r"(?:^|: |\d )measurement(?: \S+)? not found\b")

_UNREADABLE = (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError)


class NotInfluxDB(StoreDenied):
    """The answer is not that of an InfluxDB: somebody else gives it, or it cannot be read."""


class LimitReached(StoreDenied):
    """A limit of the server that a person can raise: what is refused for it waits."""


class NotFound(StoreDenied):
    """404 of an InfluxDB: it has no such thing."""


class ForeignTooLarge(StoreTooLarge):
    """413 of somebody before the server, or a connection that was cut while a large body was sent: smaller bodies may pass."""


class NumberTooLarge(QueryError):
    """An answer holds a result beyond float64 (the mean of huge numbers): InfluxDB 1.x sends the words of its JSON encoder in its place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. body: its beginning. headers: names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reason: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in it; empty where it holds something else."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def by_influxdb(self) -> bool:
        """Whether an InfluxDB gives it. The JSON of errors: `error` in 1.x and 3.x, `code` and `message` in 2.x.

        Gateways say `message` alone, too; then InfluxDB's words about lines are looked for.
        """
        if VERSION_HEADER in self.headers or GEMINI_HEADER in self.headers:
            return True
        error, code, message = (self.document.get(key) for key in ("error", "code", "message"))
        if isinstance(error, str):
            return True
        return isinstance(message, str) and (isinstance(code, str) or bool(_ABOUT_LINES.search(message)))

    @property
    def words(self) -> bytes | str:
        """What it says."""
        found = self.document
        told = [found[key] for key in ("error", "message") if isinstance(found.get(key), str) and found[key]]
        return told[0] if told else self.body.strip() or self.reason

    @property
    def retry_after(self) -> float | None:
        """Seconds of the header Retry-After; a date there (which InfluxDB does not send) counts as none."""
        text = self.headers.get("Retry-After", "")
        return min(float(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def error_of(answer: Answer, url: str, shown: Shown) -> StoreError:
    """The error that stands for an answer that is not the one to be hoped for."""
    status, ours = answer.status, answer.by_influxdb
    message = f"{url}: {status} {shown(answer.words)}".rstrip()
    if status == 429 or status >= 500:
        return StoreUnavailable(message, answer.retry_after)
    if status == 413:
        return StoreTooLarge(message) if ours else ForeignTooLarge(f"{message} (not an answer of InfluxDB)")
    if not ours or status < 400:
        return NotInfluxDB(f"{message} (not an answer of InfluxDB)")
    if status in {400, 422}:
        if _LIMIT.search(_begin(answer.words)):
            return LimitReached(f"{message} (raise this limit of the server; samples wait in the spool)")
        return StoreRejected(message)
    return NotFound(message) if status == 404 else StoreDenied(message)


def _begin(words: bytes | str) -> str:
    """Where the cause stands; behind it there may be texts of lines, which are not the server's words."""
    return (words.decode(errors="replace") if isinstance(words, bytes) else words)[:_CAUSE]


def document_of(answer: Answer, url: str, shown: Shown) -> dict[str, Any]:
    """The JSON object of an answer; an empty body has none. Raises NotInfluxDB when it holds something else."""
    found = answer.document
    if answer.body.strip() and not found and answer.body.strip() != b"{}":
        raise NotInfluxDB(f"{url}: {answer.status}, an answer that is not a JSON object: {shown(answer.body)}")
    return found


def series_of(line: bytes, shown: Shown) -> list[Series]:
    """The series in a line of an answer to InfluxQL.

    Raises QueryError when it tells of an error, NumberTooLarge, NotInfluxDB when it cannot be read.
    """
    if not line.strip():
        return []
    try:
        answer = orjson.loads(line)
    except orjson.JSONDecodeError:
        if _NOT_A_NUMBER_OF_JSON.search(line):
            raise NumberTooLarge(f"the server answers {shown(line)}") from None
        raise NotInfluxDB(f"an answer to a query that is not JSON: {shown(line)}") from None
    with understood("query", lambda: shown(line)):
        if "error" in answer:
            if is_nothing(answer["error"]):
                return []
            raise _query_error(text(answer["error"]), shown)
        return [_series(one) for result in answer["results"] for one in _of_result(result, shown)]


def is_nothing(error: object) -> bool:
    """Whether an error says that no point of a measurement is there yet: openGemini has no empty answer for that."""
    return isinstance(error, str) and bool(_NOTHING.search(error))


def _of_result(result: dict[str, Any], shown: Shown) -> list[Any]:
    if "error" in result:
        if is_nothing(result["error"]):
            return []
        raise _query_error(text(result["error"]), shown)
    found = result.get("series", [])
    if not isinstance(found, list):
        raise TypeError("series is not a list")
    return found


def _query_error(words: str, shown: Shown) -> QueryError:
    """What stands for the words of an error. 1.8 tells of its JSON encoder in JSON, 1.6 in plain words."""
    if _NOT_A_NUMBER_OF_JSON.search(words.encode()):
        return NumberTooLarge(f"the server answers {shown(words)}")
    return QueryError(shown(words))


def _series(found: dict[str, Any]) -> Series:
    columns, values, tags = found["columns"], found.get("values", []), found.get("tags", {})
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns) and isinstance(values, list)):
        raise TypeError("columns and values")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in values):
        raise ValueError("rows of another length than columns")
    if not all(isinstance(value, str) for value in tags.values()):
        raise TypeError("tags")
    return {"columns": columns, "values": values, "tags": tags}


def integer(value: object) -> int:
    """A whole number of an answer. Raises TypeError."""
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def text(value: object) -> str:
    """A text of an answer. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


@contextmanager
def understood(request: str, words: Callable[[], str] = str) -> Iterator[None]:
    """Whatever goes wrong in reading an answer is NotInfluxDB. request: what was asked; words: the beginning of the answer."""
    try:
        yield
    except _UNREADABLE as error:
        # The words of the error may repeat what the server says, secrets included.
        raise NotInfluxDB(f"{request}: an answer of an unexpected form ({type(error).__name__}) {words()}".rstrip()) from None
