"""Queries through the socket of a running archiver."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError, StoreDenied, StoreError, StoreUnavailable
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Within
from archioc.db.erasure import Erasure
from archioc.db.query_socket import query_messages as wire
from archioc.db.query_socket import unix_socket
from archioc.db.query_socket.server import CLIENT_TIMEOUT_S
from archioc.db.sample_columns import SampleColumns

_ERRORS: dict[str, type[StoreError]] = {error.__name__: error for error in (QueryError, StoreDenied, StoreUnavailable)}

CHANGE_S = 3600.0
"""How long a part of a deletion, or the copy of a file, may take."""


class SocketReader:
    """A reader that asks the db process. Each query has a connection of its own; waits are bounded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        request = {"query": "samples", "channel": channel, "start_ns": start_ns, "end_ns": end_ns, "with_previous": with_previous}
        return (wire.unpack_columns(answer["samples"]) for answer in self._ask(request))

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        (answer,) = self._ask({"query": "last_before", "channel": channel, "t_ns": t_ns})
        return None if answer["samples"] is None else wire.unpack_columns(answer["samples"])

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time."""
        (answer,) = self._ask({"query": "at", "channel": channel, "t_ns": t_ns})
        return None if answer["samples"] is None else wire.unpack_columns(answer["samples"])

    def bins(self, channel: str, start_ns: int, end_ns: int, count: int, *, times: bool = True, within: Within | None = None) -> Bins:
        """Statistics of the numbers with start <= time < end in bins."""
        request = {"query": "bins", "channel": channel, "start_ns": start_ns, "end_ns": end_ns, "count": count, "times": times}
        if within is not None:
            request["within"] = within
        (answer,) = self._ask(request)
        return wire.unpack_bins(answer["bins"])

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end in chunks, after the one in force at the start if wanted."""
        request = {"query": "alarms", "channel": channel, "start_ns": start_ns, "end_ns": end_ns, "with_previous": with_previous}
        return (wire.unpack_alarms(answer["alarms"]) for answer in self._ask(request))

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have samples."""
        return (name for answer in self._ask({"query": "names", "pattern": pattern}) for name in answer["names"])

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it."""
        (answer,) = self._ask({"query": "events", "channel": channel, "start_ns": start_ns, "end_ns": end_ns})
        return [wire.unpack_event(event) for event in answer["events"]]

    def archivers(self, channel: str) -> list[str]:
        """The archivers that have told of a channel, sorted."""
        (answer,) = self._ask({"query": "archivers", "channel": channel})
        return list(answer["archivers"])

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        (answer,) = self._ask({"query": "meta", "channel": channel, "at_ns": at_ns})
        return None if answer["meta"] is None else wire.unpack_meta(answer["meta"])

    def audit(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """Puts by clients in the range."""
        answers = self._ask({"query": "audit", "start_ns": start_ns, "end_ns": end_ns})
        return [AuditRecord(**record) for answer in answers for record in answer["audit"]]

    def faults(self, *, deep: bool) -> Iterator[list[str]]:
        """What is wrong with the files of the store, where it has files."""
        return (answer["faults"] for answer in self._ask({"query": "faults", "deep": deep}))

    def erase(self, erasure: Erasure, order: AuditRecord | None) -> Iterator[int]:
        """Have it deleted, or counted where there is no order. Raises QueryError where the archiver belongs to another user."""
        request = asdict(erasure) | {"query": "erase", "order": None if order is None else asdict(order)}
        return (answer["erased"] for answer in self._ask(request, CHANGE_S))

    def copy_files(self, target: Path) -> Iterator[str]:
        """Have the files of the store copied into a directory, where it has files. Raises QueryError as `erase` does."""
        return (answer["copied"] for answer in self._ask({"query": "copy_files", "directory": str(target)}, CHANGE_S))

    def close(self) -> None:
        """Nothing is kept open between queries."""

    def _ask(self, request: dict[str, Any], timeout: float = CLIENT_TIMEOUT_S) -> _Answer:
        return _Answer(self._path, request, timeout)


class _Answer(Iterator[dict[str, Any]]):
    """The lines of one answer. It is asked for at once, so that the store works on it until the first line is wanted.

    A query that nobody reads to its end is given up when this is let go of.
    """

    def __init__(self, path: Path, request: dict[str, Any], timeout: float) -> None:
        self._path = path
        self._open = contextlib.ExitStack()
        with self._unavailable():
            connection = self._open.enter_context(unix_socket.connect(path, timeout))
            self._lines = self._open.enter_context(connection.makefile("rb"))
            # A server that is too busy answers without having read the request: its reason is there to be read.
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE))

    def __next__(self) -> dict[str, Any]:
        if self._lines.closed:
            raise StopIteration
        with self._unavailable():
            answer = wire.decode(self._lines)
        if answer is None:
            self._open.close()
            raise StoreUnavailable(f"{self._path}: the archiver ended before its answer did")
        if "done" in answer:
            self._open.close()
            raise StopIteration
        if "error" in answer:
            self._open.close()
            raise _ERRORS.get(answer["error"]["type"], QueryError)(answer["error"]["text"])
        return answer

    def __del__(self) -> None:
        self._open.close()

    @contextlib.contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._open.close()
            raise StoreUnavailable(f"{self._path}: the archiver does not answer queries: {error.strerror or error}") from None
