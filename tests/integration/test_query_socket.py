from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from archioc.core.config.file import parse_config
from archioc.core.directories import Directories, lock_state_dir
from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.embedded.reader import EmbeddedReader
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.query_socket import query_messages as wire
from archioc.db.query_socket import server as query_server
from archioc.db.query_socket import unix_socket
from archioc.db.query_socket.client import SocketReader
from archioc.db.query_socket.server import QueryServer
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.db.store import CHUNK, Reader
from archioc.open_archive import open_reader
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.query_pool.budget import Budget
from tests.archives.batches import T0, Alarm, Point, make_batch, spool_file
from tests.processes.waiting import PATIENCE_S, wait_until

ENCODER = ColumnEncoder("embedded")
META = ChannelMeta("A", T0, 6, 1, "h:1", "mm", 2, ("a", "b"), -1.0)
EVENT = ChannelEvent("A", T0, Reason.DISCONNECTED, T0 + 5, 3, "x\n")


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    """A state directory whose socket has a path far longer than a socket address."""
    found = Directories(tmp_path / ("long" * 30) / "state")
    found.run.mkdir(parents=True)
    return found


@pytest.fixture
def store(directories: Directories) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(directories.store)
    made.prepare()
    points = [Point("A", T0 + at, float(at)) for at in range(5)]
    points += [Point("A", T0 + 10, blob=b"te\nxt", kind=Kind.TEXT), Point("A", T0 + 11, blob=np.arange(3.0).tobytes(), kind=Kind.ARRAY)]
    alarms = [Alarm("A", T0, 0, 0), Alarm("A", T0 + 3, 2, 3)]
    made.write(spool_file(ENCODER, make_batch([*points, Point("B", T0, 1.0)], [EVENT], [META], alarms=alarms)))
    yield made
    made.close()


@pytest.fixture
def server(directories: Directories, store: EmbeddedStore) -> Iterator[QueryServer]:
    made = QueryServer(directories.query_socket, store)
    yield made
    assert made.close()


@pytest.fixture
def reader(directories: Directories, server: QueryServer) -> SocketReader:
    return SocketReader(directories.query_socket)


def everything(reader: Reader) -> SampleColumns:
    return concatenate(list(reader.samples("A", T0 + 1, T0 + 100)))


def test_the_socket_answers_like_the_store(reader: SocketReader, store: EmbeddedStore) -> None:
    """Every query through the socket has the answer that the store itself gives."""
    found, wanted = everything(reader), everything(store)
    assert found.time.tolist() == wanted.time.tolist() == [T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4, T0 + 10, T0 + 11]
    assert np.array_equal(found.value, wanted.value, equal_nan=True)
    assert found.text == wanted.text
    assert found.arrays[-1] is not None
    assert found.arrays[-1].tolist() == [0.0, 1.0, 2.0]
    assert len(list(reader.samples("A", T0 + 1, T0 + 1, with_previous=False))) == 1
    last = reader.last_before("A", T0 + 3)
    assert last is not None
    assert last.time.tolist() == [T0 + 2]
    assert reader.last_before("A", T0) is None
    assert reader.at("A", T0 - 1) is None
    in_force = reader.at("A", T0 + 2)
    assert in_force is not None
    assert in_force.time.tolist() == [T0 + 2]
    assert wire.pack_bins(reader.bins("A", T0, T0 + 20, 3)) == wire.pack_bins(store.bins("A", T0, T0 + 20, 3))
    within = T0 + 1, T0 + 19
    assert wire.pack_bins(reader.bins("A", T0, T0 + 20, 3, within=within)) == wire.pack_bins(store.bins("A", T0, T0 + 20, 3, within=within))
    for previous, times in ((True, [T0, T0 + 3]), (False, [T0 + 3])):
        assert [time for chunk in reader.alarms("A", T0 + 1, T0 + 9, with_previous=previous) for time in chunk.time.tolist()] == times
    assert list(reader.names("*")) == ["A", "B"]
    assert reader.events("A", T0, T0) == [EVENT]
    assert reader.meta("A", T0) == META
    assert reader.meta("A", T0 - 1) is None
    assert list(reader.samples("nobody", 0, 1)) == []


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"hello\n", "a request is a line of JSON"),
        (b"[1]\n", "a request is a JSON object"),
        (b'{"query": "drop"}\n', "query 'drop' is none of samples"),
        (b'{"query": "samples", "channel": "A"}\n', "start_ns"),
        (b'{"query": "meta", "channel": "A", "at_ns": "x"}\n', "invalid literal"),
        (b'{"query": "bins", "channel": "A", "start_ns": 5, "end_ns": 5, "count": 1}\n', "the start is at least 0, the end after it"),
        (b'{"query": "bins", "channel": "A", "start_ns": 5, "end_ns": 6, "count": 1, "within": [5]}\n', "two times (ns), not [5]"),
        (b'{"query": "bins", "channel": "A", "start_ns": 5, "end_ns": 6, "count": 1000000}\n', "from 1 to 100000 bins"),
        (b"x" * 70_000 + b"\n", "a request is one line of at most 65536 bytes"),
    ],
)
def test_bad_requests(server: QueryServer, reader: SocketReader, directories: Directories, sent: bytes, words: str) -> None:
    """A request that is none is answered with an error that says why, and the server goes on."""
    with unix_socket.connect(directories.query_socket, 10) as connection, connection.makefile("rb") as lines:
        connection.sendall(sent)
        answer = json.loads(lines.readline())
    assert answer["error"]["type"] == "QueryError"
    assert words in answer["error"]["text"]
    assert list(reader.names("B")) == ["B"]


def test_errors_of_the_store_reach_the_client(directories: Directories) -> None:
    """A store that is not open yet is told as what it is."""
    server = QueryServer(directories.query_socket, EmbeddedStore(directories.store))
    with pytest.raises(StoreUnavailable, match="is not open"):
        list(SocketReader(directories.query_socket).names())
    server.close()


def test_slow_and_silent_clients_hold_up_nobody(
    store: EmbeddedStore, server: QueryServer, reader: SocketReader, directories: Directories
) -> None:
    """While clients say nothing or do not take their answer, samples are stored and others are answered."""
    n = 4 * CHUNK
    store.write(spool_file(ENCODER, make_batch([Point("L", T0 + at * 1_000_000, 0.1) for at in range(n)]), 2))
    slow = unix_socket.connect(directories.query_socket, 10)
    slow.sendall(json.dumps({"query": "samples", "channel": "L", "start_ns": 0, "end_ns": 2**62}).encode() + b"\n")
    silent = unix_socket.connect(directories.query_socket, 10)
    time.sleep(0.3)
    started = time.monotonic()
    store.write(spool_file(ENCODER, make_batch([Point("B", T0 + 1, 1.0)]), 3))
    assert len(concatenate(list(reader.samples("B", 0, 2**62)))) == 2
    assert time.monotonic() - started < query_server.WAIT_S
    with slow.makefile("rb") as lines:
        assert b'"samples"' in lines.readline()
    slow.close()
    silent.close()


def test_an_answer_goes_on_where_a_slow_client_was_cut_off(
    store: EmbeddedStore, server: QueryServer, reader: SocketReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was cut off in the middle of a line asks for the rest, and has every sample once."""
    n = 2 * CHUNK
    store.write(spool_file(ENCODER, make_batch([Point("L", T0 + at, float(at)) for at in range(n)]), 2))
    monkeypatch.setattr(query_server, "CLIENT_TIMEOUT_S", 0.2)
    found: list[SampleColumns] = []
    budget = Budget(60)
    budget.begin()
    with capture_logs() as told:
        for chunk in Source(reader, "L", budget).samples(Range(T0, T0 + n)):
            if not found:
                monkeypatch.setattr(query_server, "CLIENT_TIMEOUT_S", 30.0)
                wait_until(lambda: "query_client_gone" in events_of(told), PATIENCE_S, "the slow client is cut off")
            found.append(chunk)
    assert "query_resumed" in events_of(told)
    assert concatenate(found).value.tolist() == list(range(n))


def events_of(told: Sequence[Mapping[str, object]]) -> list[object]:
    """The names of what was logged."""
    return [entry["event"] for entry in told]


@dataclass
class SlowReader(EmbeddedReader):
    """A store whose events take until `released`, and whose alarm states never end. asked: queries that it works on or has answered."""

    released: threading.Event = field(default_factory=threading.Event)
    pause_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        self.asked.append("events")
        assert self.released.wait(PATIENCE_S)
        return []

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        self.asked.append("alarms")
        while True:
            time.sleep(self.pause_s)
            yield AlarmColumns(np.zeros(1, np.int64), np.zeros(1, np.uint8), np.zeros(1, np.uint8))

    def names(self, pattern: str = "*") -> Iterator[str]:
        return iter(["A"])


def test_waiting_is_bounded(directories: Directories, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is busy a query waits for its turn, a bounded time; with too many clients one is refused at once."""
    monkeypatch.setattr(query_server, "WAIT_S", 0.2)
    slow = SlowReader()
    server = QueryServer(directories.query_socket, slow)
    reader = SocketReader(directories.query_socket)
    crowd = [threading.Thread(target=reader.events, args=("A", 0, 1)) for _ in range(query_server.AT_ONCE)]
    for client in crowd:
        client.start()
    wait_until(lambda: len(slow.asked) == query_server.AT_ONCE, PATIENCE_S, "the store is busy")
    with pytest.raises(QueryError, match="have been running for"):
        list(reader.names())
    monkeypatch.setattr(query_server, "CLIENTS", query_server.AT_ONCE)
    with pytest.raises(QueryError, match="running or waiting"):
        list(reader.names())
    slow.released.set()
    for client in crowd:
        client.join()
    wait_until(lambda: _names_or_none(reader) == ["A"], PATIENCE_S, "the server has places again")
    assert server.close()


def test_the_end_of_an_answer(reader: SocketReader) -> None:
    """An answer that has been read to its end stays at its end."""
    answer = reader._ask({"query": "names", "pattern": "*"})
    assert list(answer) == [{"names": ["A", "B"]}]
    assert list(answer) == []


def test_a_query_begins_when_it_is_asked_for(directories: Directories) -> None:
    """The store works on a query before its answer is read; one that is let go of is given up and leaves nothing open."""
    slow = SlowReader()
    server = QueryServer(directories.query_socket, slow)
    asked = SocketReader(directories.query_socket).alarms("A", 0, 1)
    wait_until(lambda: slow.asked == ["alarms"], PATIENCE_S, "the store works on it")
    assert len(next(asked)) == 1
    del asked
    wait_until(lambda: not server._clients, PATIENCE_S, "the server has let go of it")
    assert server.close()


def _names_or_none(reader: SocketReader) -> list[str] | None:
    try:
        return list(reader.names("A"))
    except QueryError:
        return None


def test_many_clients_that_take_nothing_hold_up_nobody(directories: Directories) -> None:
    """Clients that do not take their answer, far more of them than the store serves at once, keep no query from being answered."""
    slow = SlowReader()
    server = QueryServer(directories.query_socket, slow)
    crowd = [unix_socket.connect(directories.query_socket, 10) for _ in range(3 * query_server.AT_ONCE)]
    for client in crowd:
        client.sendall(b'{"query":"alarms","channel":"A","start_ns":0,"end_ns":1}\n')
    wait_until(lambda: len(slow.asked) == len(crowd), PATIENCE_S, "all are being answered")
    started = time.monotonic()
    assert list(SocketReader(directories.query_socket).names()) == ["A"]
    assert time.monotonic() - started < query_server.WAIT_S
    for client in crowd:
        client.close()
    assert server.close()


def test_a_query_has_a_time_limit(directories: Directories, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query on which the store works for too long ends with an error that says so."""
    monkeypatch.setattr(query_server, "QUERY_S", 0.2)
    server = QueryServer(directories.query_socket, SlowReader(pause_s=0.05))
    with pytest.raises(QueryError, match="on this query; ask for a shorter range"):
        list(SocketReader(directories.query_socket).alarms("A", 0, 1))
    assert server.close()


def test_a_dead_servers_socket_is_replaced(directories: Directories, store: EmbeddedStore) -> None:
    """A socket left by a killed process is told as such to clients and taken over by the next server."""
    unix_socket.listen(directories.query_socket, 1, 0o600).close()
    with pytest.raises(StoreUnavailable, match="does not answer queries"):
        list(SocketReader(directories.query_socket).names())
    server = QueryServer(directories.query_socket, store)
    assert directories.query_socket.stat().st_mode & 0o777 == 0o660
    assert list(SocketReader(directories.query_socket).names("A")) == ["A"]
    server.close()
    assert not directories.query_socket.exists()


def test_the_reader_fits_the_state_of_the_archiver(directories: Directories, store: EmbeddedStore) -> None:
    """While the archiver runs it is asked through its socket; when it has stopped the store is opened directly."""
    config = parse_config(f"archiver: {{state_dir: {directories.state}}}\n", directories.state / "config.yml")
    lock = lock_state_dir(directories)
    server = QueryServer(directories.query_socket, store)
    running = open_reader(config, as_stored=True)
    assert isinstance(running, SocketReader)
    wanted = everything(running).time.tolist()
    server.close()
    store.close()
    lock.close()
    stopped = open_reader(config, as_stored=True)
    assert isinstance(stopped, EmbeddedStore)
    assert everything(stopped).time.tolist() == wanted
    stopped.close()
