"""What is answered to a request of the query socket; `docs/reference/contract/files.md` has both."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError
from archioc.db.bins import Within
from archioc.db.erasure import Erasure
from archioc.db.query_socket import query_messages as wire
from archioc.db.store import Erasing, OfFiles, Reader

NAMES_A_LINE = 1000
RECORDS_A_LINE = 1000

Request = dict[str, Any]
Answers = Generator[dict[str, Any], None, None]


def answers(reader: Reader, request: object) -> Answers:
    """The lines that answer a request. Raises QueryError for a request that is none, and what the reader raises."""
    if not isinstance(request, dict):
        raise QueryError("a request is a JSON object")
    query = request.get("query")
    answer = _QUERIES.get(query) if isinstance(query, str) else None
    if answer is None:
        raise QueryError(f"query {query!r} is none of {', '.join(_QUERIES)}")
    try:
        yield from answer(reader, request)
    except (KeyError, TypeError, ValueError) as error:
        raise QueryError(f"request {request}: {type(error).__name__} {error}") from error


def _channel(request: Request) -> str:
    return str(request["channel"])


def _range(request: Request) -> tuple[int, int]:
    return int(request["start_ns"]), int(request["end_ns"])


def _within(request: Request) -> Within | None:
    within = request.get("within")
    if within is None:
        return None
    if not isinstance(within, list) or [type(one) for one in within] != [int, int]:
        raise QueryError(f"within is a list of two times (ns), not {within!r}")
    return within[0], within[1]


def _previous(request: Request) -> bool:
    return bool(request.get("with_previous", True))


def _samples(reader: Reader, request: Request) -> Answers:
    for columns in reader.samples(_channel(request), *_range(request), with_previous=_previous(request)):
        yield {"samples": wire.pack_columns(columns)}


def _last_before(reader: Reader, request: Request) -> Answers:
    last = reader.last_before(_channel(request), int(request["t_ns"]))
    yield {"samples": None if last is None else wire.pack_columns(last)}


def _at(reader: Reader, request: Request) -> Answers:
    found = reader.at(_channel(request), int(request["t_ns"]))
    yield {"samples": None if found is None else wire.pack_columns(found)}


def _bins(reader: Reader, request: Request) -> Answers:
    times, within = bool(request.get("times", True)), _within(request)
    found = reader.bins(_channel(request), *_range(request), int(request["count"]), times=times, within=within)
    yield {"bins": wire.pack_bins(found)}


def _alarms(reader: Reader, request: Request) -> Answers:
    for columns in reader.alarms(_channel(request), *_range(request), with_previous=_previous(request)):
        yield {"alarms": wire.pack_alarms(columns)}


def _names(reader: Reader, request: Request) -> Answers:
    names = list(reader.names(str(request.get("pattern", "*"))))
    for at in range(0, len(names), NAMES_A_LINE):
        yield {"names": names[at : at + NAMES_A_LINE]}


def _events(reader: Reader, request: Request) -> Answers:
    yield {"events": reader.events(_channel(request), *_range(request))}


def _archivers(reader: Reader, request: Request) -> Answers:
    yield {"archivers": reader.archivers(_channel(request))}


def _meta(reader: Reader, request: Request) -> Answers:
    meta = reader.meta(_channel(request), int(request["at_ns"]))
    yield {"meta": None if meta is None else wire.pack_meta(meta)}


def _audit(reader: Reader, request: Request) -> Answers:
    records = reader.audit(*_range(request))
    for at in range(0, len(records), RECORDS_A_LINE):
        yield {"audit": records[at : at + RECORDS_A_LINE]}


def _faults(reader: Reader, request: Request) -> Answers:
    if isinstance(reader, OfFiles):
        for found in reader.faults(deep=bool(request.get("deep", False))):
            yield {"faults": found}


def _erase(reader: Reader, request: Request) -> Answers:
    """Only a reader that is a store can; who may ask is looked at by the server."""
    if not isinstance(reader, Erasing):
        raise QueryError("this archive cannot delete")
    channel, order = request.get("channel"), request.get("order")
    erasure = Erasure(None if channel is None else str(channel), *_range(request))
    for count in reader.erase(erasure, None if order is None else AuditRecord(**order)):
        yield {"erased": count}


def _copy_files(reader: Reader, request: Request) -> Answers:
    if isinstance(reader, OfFiles):
        for name in reader.copy_files(Path(str(request["directory"]))):
            yield {"copied": name}


def may_read(request: object) -> bool:
    """Whether who may read may ask this: it neither changes what is stored nor writes a file."""
    query = request.get("query") if isinstance(request, dict) else None
    return not (query == "copy_files" or (query == "erase" and isinstance(request, dict) and request.get("order") is not None))


_QUERIES: dict[str, Callable[[Reader, Request], Answers]] = {
    "samples": _samples,
    "last_before": _last_before,
    "at": _at,
    "bins": _bins,
    "alarms": _alarms,
    "names": _names,
    "events": _events,
    "archivers": _archivers,
    "meta": _meta,
    "audit": _audit,
    "faults": _faults,
    "erase": _erase,
    "copy_files": _copy_files,
}
