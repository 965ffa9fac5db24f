"""Bounds of the HTTP server: slow clients, many queries, time, memory of an answer."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.timestamp import format_utc
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Within
from archioc.db.sample_columns import SampleColumns
from archioc.retrieval import places
from archioc.retrieval.query_pool import queries
from tests.archives.batches import T0
from tests.conftest import ServedStoreFactory
from tests.processes.http_client import HttpClient
from tests.processes.waiting import PATIENCE_S, wait_until

PATH = f"/retrieval/data/getData.raw?pv=A&from={format_utc(T0)}&to={format_utc(T0 + 10**15)}"
CHUNK = 20_000


class EndlessReader:
    """A store in which channel A has samples as long as somebody asks for more. made: chunks that it has made; open: answers under way."""

    def __init__(self, chunk_s: float = 0.0, fails_after: int | None = None) -> None:
        self.made = self.open = 0
        self.released = threading.Event()
        self.released.set()
        self._chunk_s, self._fails_after = chunk_s, fails_after

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        self.open += 1
        try:
            for number in range(100_000):
                assert self.released.wait(PATIENCE_S)
                time.sleep(self._chunk_s)
                if number == self._fails_after:
                    raise QueryError("the store has had enough")
                self.made += 1
                begin = start_ns + number * CHUNK
                zero = np.zeros(CHUNK, np.uint8)
                nothing: list[None] = [None] * CHUNK
                time_ns = begin + np.arange(CHUNK)
                yield SampleColumns(time_ns, np.arange(CHUNK) / 7, zero, zero, zero, time_ns * 0, [*nothing], [*nothing])
        finally:
            self.open -= 1

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        return None

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        return None

    def bins(self, channel: str, start_ns: int, end_ns: int, count: int, *, times: bool = True, within: Within | None = None) -> Bins:
        raise StoreUnavailable("the store is away")

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        return iter(())

    def names(self, pattern: str = "*") -> Iterator[str]:
        return iter(["A"])

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[object]:
        return []

    def meta(self, channel: str, at_ns: int) -> None:
        return None

    def close(self) -> None:
        self.released.set()


def connect(http: HttpClient) -> socket.socket:
    """A client that asks and takes nothing of the answer."""
    host, port = http.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), 30)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client


def settled(reader: EndlessReader) -> bool:
    before = reader.made
    time.sleep(0.5)
    return reader.made == before


def test_slow_clients_hold_up_nobody(served_store: ServedStoreFactory) -> None:
    """While twenty clients take nothing of endless answers, no more is made for them, and others are answered at once."""
    reader = EndlessReader()
    served = served_store(reader=reader)
    slow = [connect(served.http) for _ in range(20)]
    wait_until(lambda: reader.open == len(slow), PATIENCE_S, "all answers are under way")
    wait_until(lambda: settled(reader), PATIENCE_S, "nothing is made any more")
    assert reader.made <= 20 * len(slow)
    begun = time.monotonic()
    assert served.http.get("/retrieval/bpl/getMatchingPVs", pv="*").json() == ["A"]
    assert time.monotonic() - begun < queries.SLOW_S / 2
    for client in slow:
        client.close()
    wait_until(lambda: reader.open == 0, PATIENCE_S, "answers end with their clients")


def test_clients_that_take_nothing_are_cut_off(served_store: ServedStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that takes nothing for too long loses its place."""
    monkeypatch.setattr(queries, "SLOW_S", 0.3)
    reader = EndlessReader()
    served = served_store(reader=reader)
    client = connect(served.http)
    wait_until(lambda: reader.made > 0, PATIENCE_S, "the answer is under way")
    wait_until(lambda: reader.open == 0, PATIENCE_S, "the answer is given up")
    client.close()


def test_too_many_queries(served_store: ServedStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries beyond those that are open wait; beyond the queue they are refused with 503 and a time to come back."""
    monkeypatch.setattr(places, "OPEN", 2)
    monkeypatch.setattr(places, "QUEUE", 1)
    reader = EndlessReader()
    served = served_store(reader=reader)
    slow = [connect(served.http) for _ in range(2)]
    wait_until(lambda: reader.open == 2, PATIENCE_S, "two answers are under way")
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(served.http.get, "/retrieval/bpl/getMatchingPVs", pv="*")
        wait_until(lambda: served.queries.places.waiting == 1, PATIENCE_S, "one waits")
        refused = served.http.get("/retrieval/bpl/getMatchingPVs", pv="*")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert refused.text == "2 queries are open and 1 wait; try again\n"
        for client in slow:
            client.close()
        assert waiting.result(20).json() == ["A"]


def test_time_limit(served_store: ServedStoreFactory) -> None:
    """A query that finds nothing to answer within its time ends with 504 and says so."""
    served = served_store(limit_s=0.2, reader=EndlessReader(chunk_s=0.05))
    answer = served.http.get(PATH.replace("pv=A", "pv=ncount(A)"))
    assert answer.status == 504
    assert answer.text == "the query has worked for 0.2 s (http.query_limit) on one piece; ask for a shorter range\n"


def test_what_fails_on_its_way_is_not_taken_for_whole(served_store: ServedStoreFactory) -> None:
    """An answer that fails after its begin ends without its end mark; one that fails at once has a status."""
    served = served_store(reader=EndlessReader(fails_after=3))
    with pytest.raises(http.client.IncompleteRead):
        served.http.get(PATH)
    at_once = served_store(reader=EndlessReader(fails_after=0)).http.get(PATH)
    assert (at_once.status, at_once.text) == (504, "the store has had enough\n")
    away = served.http.get(PATH.replace("pv=A", "pv=mean_864000(A)"))
    assert (away.status, away.text, away.headers["retry-after"]) == (503, "the store is away\n", "5")
