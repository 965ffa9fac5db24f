"""What becomes of a batch with each answer that an InfluxDB of any version gives, on a double that answers as they do."""

from __future__ import annotations

import gzip
import time

import pytest

from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.encoding.compression import compress, decompress
from archioc.core.spool.encoding.escaping import split_lines
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point
from tests.integration.influx_answers.line_files import DAY_S, GENERATIONS, Double, Opened, a_file, one_sample
from tests.processes.influx_double import Answer, told
from tests.processes.waiting import PATIENCE_S, wait_until


@pytest.mark.parametrize("version", GENERATIONS)
def test_good_lines(double: Double, opened: Opened, version: str) -> None:
    """204: one request, gzipped as it lies in the spool, and nothing is rejected."""
    server = double(version)
    store = opened(server)
    file = one_sample()
    outcome = store.write(file)
    assert (outcome.rejected.tolist(), outcome.refusals, outcome.events, outcome.remark) == ([0], (), (), "")
    assert [request.body for request in server.writes] == [file.payload]
    assert server.writes[0].headers["Content-Encoding"] == "gzip"
    assert len(server.lines) == 1


@pytest.mark.parametrize("version", GENERATIONS)
def test_bad_lines_are_found(double: Double, opened: Opened, version: str) -> None:
    """400 and 422: good lines are stored, bad ones told with the server's words, old ones counted; an event for each channel says so."""
    server = double(version, retention_s=None if version.startswith("3") else DAY_S)
    store = opened(server, retention=DAY_S)
    now = time.time_ns()
    old = now - 3 * DAY_S * 10**9
    points = [Point(f"PV{at % 4}", old + at if at % 4 == 2 and at >= 100 else now + at, float(at)) for at in range(200)]
    if version.startswith("3"):
        points = [point for point in points if point.time_ns >= now]
    outcome = store.write(a_file(points, {b"value=8.0": b'value="eight"', b"value=17.0": b"value=nan"}))
    too_old = sum(point.time_ns < now for point in points)
    assert outcome.rejected.tolist() == [1, 1, too_old, 0]
    assert outcome.kept.tolist() == [1, 1, 0, 0]
    assert [b'"eight"' in one.content or b"=nan" in one.content for one in outcome.refusals] == [True, True]
    assert all(one.message.split(": ")[1][:3] in {"400", "422"} for one in outcome.refusals)
    assert len(server.lines) == len(points) - 2 - too_old
    told_of = [(event.channel, event.reason, event.count) for event in outcome.events]
    expected = [("PV0", Reason.REJECTED, 1), ("PV1", Reason.REJECTED, 1), ("PV2", Reason.REJECTED, too_old)]
    assert told_of == [one for one in expected if one[2]]
    assert len(server.writes) < 60


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12"])
def test_what_is_too_old_is_not_sent(double: Double, opened: Opened, version: str) -> None:
    """Where a file may hold samples beyond the retention they are split off by the server's clock before anything is posted."""
    server = double(version, retention_s=DAY_S)
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": [{"everySeconds": DAY_S}]}
    store = opened(server)
    now = time.time_ns()
    outcome = store.write(a_file([Point("A", now - 2 * DAY_S * 10**9, 1.0), Point("A", now, 2.0), Point("B", now - 10**16, 3.0)]))
    assert (outcome.rejected.tolist(), outcome.refusals) == ([1, 1], ())
    assert [request.lines() for request in server.writes] == [[b"sample,pv=A value=2.0 %d" % now]]


def test_a_retention_that_was_cut_short(double: Double, opened: Opened) -> None:
    """When the server has a shorter retention than it told at first, its answer tells; a file that is too old as a whole is rejected."""
    server = double("1.6.7~rc0", retention_s=1000 * DAY_S)
    store = opened(server)
    server.retention_s = DAY_S
    now = time.time_ns()
    old = now - 3 * DAY_S * 10**9
    outcome = store.write(a_file([Point(f"PV{at}", old + at if at % 3 else now, 1.0) for at in range(300)]))
    assert (int(outcome.rejected.sum()), outcome.refusals) == (200, ())
    assert len(server.writes) == 2
    assert int(store.write(a_file([Point("A", old, 1.0)])).rejected.sum()) == 1


def test_a_retention_that_was_extended(double: Double, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample is given up for a retention that the server had a while ago."""
    server = double("1.6.7~rc0", retention_s=DAY_S)
    store = opened(server)
    server.retention_s = 30 * DAY_S
    monkeypatch.setattr("archioc.db.influx.store.RETENTION_HOLDS_S", 0.0)
    outcome = store.write(a_file([Point("A", time.time_ns() - 3 * DAY_S * 10**9, 1.0)]))
    assert int(outcome.rejected.sum()) == 0
    assert len(server.lines) == 1


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_body_that_is_too_large(double: Double, opened: Opened, version: str) -> None:
    """413: the body is halved until the server takes it, and nothing is rejected."""
    server = double(version, max_body=2000)
    outcome = opened(server).write(a_file([Point(f"PV{at}", time.time_ns() + at, at / 3) for at in range(500)]))
    assert (int(outcome.rejected.sum()), len(server.lines)) == (0, 500)


def test_a_line_that_is_too_large_for_itself(double: Double, opened: Opened) -> None:
    """413 for a single line: it is told as refused, all others are stored."""
    server = double("3.9.0", max_body=2000)
    points = [Point(f"PV{at}", time.time_ns() + at, at / 3) for at in range(50)]
    outcome = opened(server).write(a_file(points, {b"value=3.0": b'text="%s"' % (b"x" * 3000)}))
    assert (outcome.rejected.nonzero()[0].tolist(), len(outcome.refusals), len(server.lines)) == ([9], 1, 49)
    assert "413" in outcome.refusals[0].message


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12", "3.9.0"])
@pytest.mark.parametrize("status", [401, 403, 404, 307])
def test_answers_that_call_for_a_person(double: Double, opened: Opened, version: str, status: int) -> None:
    """401, 403, 404 and whatever else is no answer to a write: the file is kept, with the server's words."""
    server = double(version)
    store = opened(server)
    server.scripted = [told(status, {"error": "not you"})]
    with pytest.raises(StoreDenied, match=f"{status} not you"):
        store.write(one_sample())
    assert store.write(one_sample()).rejected.tolist() == [0]


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12", "3.9.0"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_answers_of_a_busy_server(double: Double, opened: Opened, version: str, status: int) -> None:
    """429 and 5xx: the file is kept, with the server's words and the pause that it asks for."""
    server = double(version)
    store = opened(server)
    server.scripted = [told(status, {"error": "timeout"}, **{"Retry-After": "7"}), told(status, {"error": "timeout"})]
    for pause in (7.0, None):
        with pytest.raises(StoreUnavailable, match=f"{status} timeout") as caught:
            store.write(one_sample())
        assert caught.value.retry_after == pause


def test_a_busy_server_in_the_middle_of_a_search(double: Double, opened: Opened) -> None:
    """When the server is gone while bad lines are looked for, the whole file is kept; sent again it ends the same."""
    server = double("v2.7.12")
    store = opened(server)
    file = a_file([Point("A", time.time_ns() + at, float(at)) for at in range(100)], {b"value=8.0": b'value="eight"'})
    server.scripted = [told(422, {"message": "partial write: field type conflict dropped=1"}), Answer(), Answer(503)]
    with pytest.raises(StoreUnavailable):
        store.write(file)
    assert store.write(file).kept.tolist() == [1]
    assert len(server.lines) == 99


def test_no_answer(double: Double, opened: Opened) -> None:
    """A server that does not answer within the timeout counts as away."""
    server = double("1.8.10")
    store = opened(server, timeout=0.3)
    server.scripted = [0.6]
    with pytest.raises(StoreUnavailable, match=server.url):
        store.write(one_sample())
    wait_until(lambda: takes(store, one_sample()), PATIENCE_S, "the store takes a sample")


def takes(store: InfluxDatabase, file: SpoolFile) -> bool:
    """Whether a file is taken, by a server that may be slow once more."""
    try:
        return not store.write(file).rejected.any()
    except StoreUnavailable:
        return False


def test_events_of_our_own(double: Double, opened: Opened) -> None:
    """Events that the db process tells itself are written as those of the engine are; a server that refuses them stops nothing."""
    server = double("1.8.10")
    store = opened(server)
    now = time.time_ns()
    event = ChannelEvent("A,B", now, Reason.REJECTED, count=3, text="why")
    store.write_events([event])
    store.write_events([event])
    assert server.lines == {rb'event,archiver=main,code=7,pv=A\,B reason="rejected",count=3i,text="why" %d' % now}
    server.scripted = [told(400, {"error": "partial write: points beyond retention policy dropped=1"})]
    store.write_events([event])


def test_a_batch_of_arrays_is_sent_in_pieces(double: Double, opened: Opened) -> None:
    """A batch longer than any server takes at once is posted in pieces, without first being refused."""
    server = double("3.9.0", max_body=10 * 1024 * 1024)
    now = time.time_ns()
    points = [Point("A", now + at, 1.0) for at in range(30)]
    file = a_file(points)
    body = decompress(file.payload).replace(b"value=1.0", b'text="' + b"x" * 500_000 + b'"')
    outcome = opened(server).write(SpoolFile(1, file.committed_ns, file.destination, file.counts, compress(body)))
    assert int(outcome.rejected.sum()) == 0
    assert len(server.lines) == 30
    assert len(server.writes) == 2
    assert sum(len(split_lines(gzip.decompress(request.body))) for request in server.writes) == 30
