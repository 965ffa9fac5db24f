"""The JSON archive access protocol over HTTP, read by a reader as strict as that of Phoebus."""

from __future__ import annotations

import urllib.parse

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from tests.archives.batches import T0, Point
from tests.conftest import ServedStoreFactory
from tests.processes.http_client import Answer, HttpClient
from tests.processes.served_store import ServedStore
from tests.readers.archive_access_reader import ReadSample, read_samples

SECOND = 10**9


@pytest.fixture
def served(served_store: ServedStoreFactory) -> ServedStore:
    return served_store()


def ask(http: HttpClient, name: str, start_ns: int, end_ns: int, **more: str) -> Answer:
    return http.get(f"/archive/1/samples/{urllib.parse.quote_plus(name)}", start=str(start_ns), end=str(end_ns), **more)


def read(http: HttpClient, name: str, start_ns: int, end_ns: int, **more: str) -> list[ReadSample]:
    answer = ask(http, name, start_ns, end_ns, **more)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.text
    return read_samples(answer.body)


def test_names(served: ServedStore) -> None:
    """There is one archive; globs find names whatever their case; a name is found with protocol, blanks and slashes, or is a 404."""
    served.write([Point(name, T0, 1.0) for name in ("SR:A", "sr:b", "X/ [1]%+")])
    http = served.http
    assert [set(one) for one in http.get("/archive/").json()] == [{"key", "name", "description"}]
    assert http.get("/archive/1/channels-by-pattern/sr:*").json() == ["SR:A", "sr:b"]
    assert http.get("/archive/1/channels-by-pattern/x%2F+[%3F]*").json() == ["X/ [1]%+"]
    assert [len(read(http, name, 0, 2**62)) for name in ("SR:A", "ca://SR:A", "pva://SR:A.VAL", "X/ [1]%+")] == [1] * 4
    for path in ("/archive/1/samples/SR:C", "/archive/2/samples/SR:A", "/archive/1/samples/", "/archive/1%2Fsamples/SR:A"):
        answer = http.get(path, start="0", end="1")
        assert (answer.status, [*answer.json()]) == (404, ["error"]), path


def test_range_and_gaps(served: ServedStore) -> None:
    """The last sample at or before the start comes first; where a gap begins there is a marker, also of one that began before."""
    at = [T0 + second * SECOND for second in range(10)]
    reasons = {1: Reason.DISCONNECTED, 3: Reason.ENGINE_RESTART, 5: Reason.GROUP_OFF, 6: Reason.SETTINGS_CHANGED}
    reasons |= {7: Reason.LOST_SPOOL_FULL, 8: Reason.LOST_QUOTA}
    ends = {1: at[2], 3: at[4], 5: at[6]}
    events = [ChannelEvent("A", at[second] + 5, reason, ends.get(second)) for second, reason in reasons.items()]
    served.write([Point("A", at[second], float(second), severity=2, status=3) for second in (0, 1, 2, 4, 6, 8)], events)
    found = read(served.http, "A", at[2] - 1, at[8] + 6)
    assert [(one.time, *one.value) for one in found] == [
        (at[1], 1.0),
        (at[1] + 5, "Disconnected"),
        (at[2], 2.0),
        (at[3] + 5, "Archive_Off"),
        (at[4], 4.0),
        (at[5] + 5, "Archive_Disabled"),
        (at[6], 6.0),
        (at[7] + 5, "Write_Error"),
        (at[8], 8.0),
        (at[8] + 5, "Write_Error"),
    ]
    assert {(one.level, one.has_value, one.status == one.value[0]) for one in found if one.kind == "string"} == {("INVALID", False, True)}
    assert {(one.level, one.status) for one in found if one.kind == "double"} == {("MAJOR", "HIHI_ALARM")}
    assert read(served.http, "A", 0, at[0] - 1) == []
    [last] = read(served.http, "A", at[9], at[9] + 1)
    assert last.time == at[8]


def test_count(served: ServedStore) -> None:
    """Few samples come as they are; many numbers as bins with their extremes; enums as one sample a bin, the severe ones first."""
    random = np.random.default_rng(1)
    values = random.normal(size=5000)
    metas = [
        ChannelMeta("A", 0, Dbr.DOUBLE, 1, "h", units="mA", precision=2),
        ChannelMeta("E", 0, Dbr.ENUM, 1, "h", labels=("off", "on")),
    ]
    numbers = [Point("A", T0 + n * SECOND, value) for n, value in enumerate(values.tolist())]
    states = [Point("E", T0 + n * SECOND, float(n % 2), kind=Kind.ENUM, dbr=Dbr.ENUM, severity=2 * (n == 7)) for n in range(500)]
    served.write([*numbers, *states], metas=metas)
    end_ns = T0 + 5000 * SECOND - 1
    found = read(served.http, "A", T0, end_ns, count="50")
    assert {(one.kind, one.quality) for one in found} == {("minMaxDouble", "Interpolated")}
    assert len(found) == 50
    parts = values.reshape(50, 100)
    assert [one.minimum for one in found] == parts.min(axis=1).tolist()
    assert [one.maximum for one in found] == parts.max(axis=1).tolist()
    assert np.allclose([one.value[0] for one in found], parts.mean(axis=1))
    assert found[0].meta is not None
    assert (found[0].meta["units"], found[0].meta["precision"]) == ("mA", 2)
    later = read(served.http, "A", T0 + 100 * SECOND + 1, end_ns, count="49")
    assert (later[0].kind, later[0].time) == ("double", T0 + 100 * SECOND)
    assert len(read(served.http, "A", T0, end_ns, count="5000")) == 5000
    assert {one.kind for one in read(served.http, "A", T0, T0 + 9 * SECOND, count="10")} == {"double"}
    states_found = read(served.http, "E", T0, T0 + 500 * SECOND - 1, count="10")
    assert {one.kind for one in states_found} == {"enum"}
    assert len(states_found) == 10
    assert (states_found[0].time, states_found[0].level) == (T0 + 7 * SECOND, "MAJOR")


def test_long_answer(served: ServedStore) -> None:
    """An answer of many pieces, with the type of the channel changing on its way, has every sample once and in order."""
    n = 30_000
    change = T0 + n // 2 * SECOND
    metas = [ChannelMeta("A", 0, Dbr.LONG, 1, "h"), ChannelMeta("A", change, Dbr.STRING, 1, "h")]
    numbers = [Point("A", T0 + at * SECOND, float(at), dbr=Dbr.LONG) for at in range(n // 2)]
    texts = [Point("A", change + at * SECOND, blob=b"%d" % at, kind=Kind.TEXT, dbr=Dbr.STRING) for at in range(n // 2)]
    served.write([*numbers, *texts], [ChannelEvent("A", change, Reason.TYPE_CHANGED)], metas)
    found = read(served.http, "A", T0, T0 + n * SECOND)
    assert [one.time for one in found] == [T0 + at * SECOND for at in range(n)]
    assert [one.kind for one in found] == ["long"] * (n // 2) + ["string"] * (n // 2)
    assert {one.kind for one in read(served.http, "A", T0, T0 + n * SECOND, count="100")} == {"long", "string"}


NAMES = st.text(max_size=30) | st.sampled_from(["A", "ca://A", "..", "%", "a" * 600, "A\0", "A\n", "'; drop table sample; --"])
WORDS = st.text(max_size=12) | st.sampled_from(["", "0", "-1", "1e3", "9" * 29, "9" * 5000, "NaN", "+5", "٣"]) | st.integers().map(str)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, WORDS, WORDS, st.none() | WORDS, st.sampled_from(["samples", "channels-by-pattern"]))
def test_nothing_that_is_asked_is_a_fault(served: ServedStore, name: str, start: str, end: str, count: str | None, what: str) -> None:
    """Whatever name, times and count are asked for, the answer is data or a refusal in a sentence, never a fault of the server."""
    path = f"/archive/1/{what}/{urllib.parse.quote_plus(name)}"
    answer = served.http.get(path, start=start, end=end, **({} if count is None else {"count": count}))
    assert answer.status in {200, 400, 404}, answer.text
    if answer.status == 200 and what == "samples":
        read_samples(answer.body)
    assert "Traceback" not in answer.text
