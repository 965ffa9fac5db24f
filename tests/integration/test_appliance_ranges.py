"""Which samples an answer of the Archiver Appliance's protocol has, what is told beside them, and what is refused."""

from __future__ import annotations

import csv
import io
import math
import urllib.parse
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind, SampleFlag
from archioc.core.timestamp import SECOND, format_utc
from archioc.retrieval.appliance.post_processors.operators import OPERATORS
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory
from tests.processes.http_client import HttpClient
from tests.processes.served_store import ServedStore
from tests.readers.appliance_decoder import DOUBLE, DOUBLES, ENUM, INT, SHORT, STRING, DecodedChunk, DecodedSample, decode

T = int(datetime(2025, 12, 31, 23, 0, tzinfo=UTC).timestamp()) * SECOND
HOUR = 3600 * SECOND


@pytest.fixture
def served(served_store: ServedStoreFactory) -> ServedStore:
    return served_store()


def meta(channel: str, time_ns: int = 0, dbr: Dbr = Dbr.DOUBLE, **more: object) -> ChannelMeta:
    return ChannelMeta(channel, time_ns, dbr, 1, "host:5064", **more)  # type: ignore[arg-type]


def raw(http: HttpClient, pv: str, start_ns: int, end_ns: int, **more: str) -> list[DecodedChunk]:
    answer = http.get("/retrieval/data/getData.raw", pv=pv, to=format_utc(end_ns), **{"from": format_utc(start_ns)}, **more)
    assert answer.status == 200, answer.text
    return decode(answer.body)


def samples(http: HttpClient, pv: str, start_ns: int, end_ns: int, **more: str) -> list[DecodedSample]:
    return [sample for chunk in raw(http, pv, start_ns, end_ns, **more) for sample in chunk.samples]


def values(http: HttpClient, pv: str, start_ns: int, end_ns: int, **more: str) -> list[object]:
    return [sample.value for sample in samples(http, pv, start_ns, end_ns, **more)]


def test_range(served: ServedStore) -> None:
    """An answer begins with the last sample at or before the start, however old; with start = end it is that one alone."""
    served.write([Point("A", T + at * HOUR, float(at)) for at in range(5)])
    http = served.http
    assert values(http, "A", T + HOUR, T + 3 * HOUR) == [1, 2, 3]
    assert values(http, "A", T + HOUR + 1, T + 3 * HOUR - 1) == [1, 2]
    assert values(http, "A", T + 2 * HOUR, T + 2 * HOUR) == [2]
    assert values(http, "A", T + 2 * HOUR - 1, T + 2 * HOUR - 1) == [1]
    assert values(http, "A", T + 900 * HOUR, T + 901 * HOUR) == [4]
    assert values(http, "A", T - 2 * HOUR, T + HOUR) == [0, 1]
    assert values(http, "A", T - 2 * HOUR, T + 9 * HOUR) == [0, 1, 2, 3, 4]
    ranges = ",".join(format_utc(at) for at in (T, T + HOUR, T + 3 * HOUR, T + 4 * HOUR))
    assert values(http, "A", T + 9 * HOUR, T + 9 * HOUR, timeranges=ranges) == [0, 1, 3, 4]


def test_nothing_in_range_has_a_header(served: ServedStore) -> None:
    """A channel without samples in the range is answered with its header, in every format."""
    served.write([Point("A", T, 1.0)], metas=[meta("A", units="mA")])
    [chunk] = raw(served.http, "A", T - 5 * HOUR, T - HOUR)
    assert (chunk.channel, chunk.kind, chunk.year, chunk.headers, chunk.samples) == ("A", DOUBLE, 2025, {"EGU": "mA"}, [])
    limits = {"pv": "A", "from": format_utc(T - 5 * HOUR), "to": format_utc(T - HOUR)}
    assert served.http.get("/retrieval/data/getData.json", **limits).json() == [{"meta": {"name": "A", "EGU": "mA"}, "data": []}]
    assert served.http.get("/retrieval/data/getData.csv", **limits).text == "\n"
    [chunk] = raw(served.http, "mean_60(A)", T - 5 * HOUR, T - HOUR)
    assert (chunk.kind, chunk.samples) == (DOUBLE, [])


def test_year_boundary(served: ServedStore) -> None:
    """Samples of each year stand under a header of that year."""
    served.write([Point("A", T + at * 10**9 * 600, float(at)) for at in range(12)])
    chunks = raw(served.http, "A", T, T + 3 * HOUR)
    assert [(chunk.year, len(chunk.samples)) for chunk in chunks] == [(2025, 6), (2026, 6)]
    assert [sample.time_ns for chunk in chunks for sample in chunk.samples] == [T + at * 10**9 * 600 for at in range(12)]


def test_change_of_type(served: ServedStore) -> None:
    """Numbers have one type in the whole answer, one that carries all of them; a text among them stands under a header of its own."""
    points = [Point("A", T, 1.0), Point("A", T + 1, 2.5), Point("A", T + 2, blob=b"off", kind=Kind.TEXT), Point("A", T + 3, 3.0)]
    changed = ChannelEvent("A", T + 1, Reason.TYPE_CHANGED, text="LONG to DOUBLE")
    single = [("B", Dbr.LONG, 7.0, INT), ("C", Dbr.SHORT, 7.5, DOUBLE), ("D", Dbr.SHORT, 7.0, SHORT)]
    metas = [meta("A", T - 9, Dbr.LONG), meta("A", T + 1), *(meta(name, T - 9, dbr) for name, dbr, _, _ in single)]
    served.write([*points, *(Point(name, T, value) for name, _, value, _ in single)], [changed], metas)
    found = [(chunk.kind, [one.value for one in chunk.samples]) for chunk in raw(served.http, "A", T, T + 9)]
    assert found == [(DOUBLE, [1, 2.5]), (STRING, ["off"]), (DOUBLE, [3])]
    for name, _, value, kind in single:
        assert [(chunk.kind, chunk.samples[0].value) for chunk in raw(served.http, name, T, T + 9)] == [(kind, value)]


def test_gaps_are_told_with_the_next_sample(served: ServedStore) -> None:
    """The first sample after a gap tells when it began and ended, and whether the archiver was stopped meanwhile."""
    events = [
        ChannelEvent("A", T + 10 * SECOND, Reason.DISCONNECTED, T + 20 * SECOND),
        ChannelEvent("A", T + 30 * SECOND, Reason.ARCHIVER_STOP, T + 40 * SECOND),
        ChannelEvent("A", T + 50 * SECOND, Reason.DISCONNECTED),
    ]
    served.write([Point("A", T + at * SECOND, float(at)) for at in (0, 25, 26, 45)], events)
    found = samples(served.http, "A", T, T + HOUR)
    begin = T // SECOND
    assert [sample.fields for sample in found] == [
        {},
        {"cnxlostepsecs": f"{begin + 10}", "cnxregainedepsecs": f"{begin + 20}"},
        {},
        {"cnxlostepsecs": f"{begin + 30}", "cnxregainedepsecs": f"{begin + 40}", "startup": "true"},
    ]
    [series] = served.http.get("/retrieval/data/getData.json", pv="A", to=format_utc(T + HOUR), **{"from": format_utc(T)}).json()
    assert [point.get("fields", {}) for point in series["data"]] == [sample.fields for sample in found]


def test_enum_labels_and_limits(served: ServedStore) -> None:
    """A header has the labels of an enum, dense from 0, and limits as numbers that Java reads."""
    labels = meta("A", T, Dbr.ENUM, labels=("Idle", "", "Trip"))
    limits = meta("B", T, units="µA", precision=2, display_low=-0.5, alarm_high=1e300)
    served.write([Point("A", T, 6.0), Point("B", T, 1.0)], metas=[labels, limits])
    [chunk] = raw(served.http, "A", T, T)
    assert (chunk.kind, chunk.headers, chunk.samples[0].value) == (ENUM, {"ENUM_0": "Idle", "ENUM_1": "", "ENUM_2": "Trip"}, 6)
    assert raw(served.http, "B", T, T)[0].headers == {"EGU": "µA", "PREC": "2", "LOPR": "-0.5", "HIHI": "1e+300"}


def test_latest_metadata(served: ServedStore) -> None:
    """Headers tell what held at the end of the range; with fetchLatestMetadata what holds now."""
    served.write([Point("A", T, 1.0)], metas=[meta("A", T, units="old"), meta("A", T + HOUR, units="new")])
    assert raw(served.http, "A", T, T + 1)[0].headers == {"EGU": "old"}
    assert raw(served.http, "A", T, T + 1, fetchLatestMetadata="true")[0].headers == {"EGU": "new"}


def test_array_of_which_only_statistics_are_kept(served: ServedStore) -> None:
    """Statistics stand in place of the elements, and the sample says so."""
    blob = ArrayStatistics(9, 1.0, 4.0, 2.5, 0.5).pack()
    served.write([Point("A", T, blob=blob, kind=Kind.ARRAY, flags=SampleFlag.STATISTICS)])
    [chunk] = raw(served.http, "A", T, T)
    [sample] = chunk.samples
    assert (chunk.kind, sample.value, sample.fields) == (
        DOUBLES,
        [2.5, 0.5, 1, 4, 9],
        {"statistics": "mean,std,min,max,n"},
    )


def test_csv_without_formulas(served: ServedStore) -> None:
    """With `safe` a text that a spreadsheet would take for a formula has a mark before it; numbers and other texts are as without."""
    texts = ["=cmd|' /C calc'!A0", "+1", "-1", '@SUM("A")', "\t=1", "a=1", "[1]"]
    served.write([Point("S", T + at, blob=text.encode(), kind=Kind.TEXT) for at, text in enumerate(texts)])
    served.write([Point("N", T, -1.5)])
    limits = {"from": format_utc(T), "to": format_utc(T + HOUR)}

    def values(**more: str) -> list[str]:
        text = served.http.get("/retrieval/data/getData.csv", pv="S", **limits, **more).text
        return [line[1] for line in csv.reader(io.StringIO(text)) if line]

    shown = [*texts[:4], "\\t=1", *texts[5:]]
    assert values() == shown
    assert values(safe="true") == values(safe="1") == [*(f"'{text}" for text in texts[:4]), *shown[4:]]
    number = [served.http.get("/retrieval/data/getData.csv", pv="N", **limits, safe=word).text for word in ("true", "false")]
    assert number == [f"{T // SECOND},-1.5,0,0,0\n\n"] * 2


def test_other_formats(served: ServedStore) -> None:
    """`qw`, `csv` and `txt` have the same samples in their own words; NaN is null only in `qw`."""
    served.write([Point("A", T, 1.5, severity=2, status=3), Point("A", T + 123_456_789, math.nan)])
    served.write([Point("S", T, blob=b'a "b",\n', kind=Kind.TEXT)])
    limits = {"from": format_utc(T), "to": format_utc(T + HOUR)}
    seconds = T // SECOND
    [series] = served.http.get("/retrieval/data/getData.qw", pv="ca://A.VAL", **limits).json()
    assert series == {
        "meta": {"name": "ca://A.VAL", "waveform": False},
        "data": [{"millis": T // 10**6, "val": 1.5}, {"millis": T // 10**6 + 123, "val": None}],
    }
    assert served.http.get("/retrieval/data/getData.csv", pv="A", **limits).text == f"{seconds},1.5,2,3,0\n{seconds},NaN,0,0,123456789\n\n"
    assert served.http.get("/retrieval/data/getData.csv", pv="S", **limits).text == f'{seconds},"a ""b"",\\n",0,0,0\n\n'
    text = served.http.get("/retrieval/data/getData.txt", pv="A", **limits).text.splitlines()
    assert text[:2] == ["Beginning data for PV A", "2025-12-31T23:00:00.000000000Z\t1.5\t2\t3\t0"]
    json_text = served.http.get("/retrieval/data/getData.json", pv="A", **limits).text
    assert '"val":NaN' in json_text


def test_several_channels(served: ServedStore) -> None:
    """Several channels come one after the other, by repeated names, names with commas, and a JSON list."""
    served.write([Point("A", T, 1.0), Point("B", T, 2.0)])
    limits = urllib.parse.urlencode({"from": format_utc(T), "to": format_utc(T + 1)})
    path = f"/retrieval/data/getDataForPVs.raw?{limits}"
    for answer in (
        served.http.get(f"{path}&pv=A&pv=mean_1(B)"),
        served.http.get(f"{path}&pv=A,mean(B,1)"),
        served.http.post(path, b'["A", "mean_1(B)"]', "application/json"),
        served.http.post(path, b"A\nmean_1(B)\n", "text/plain"),
        served.http.post(path, b"pv=A,mean_1(B)", "application/x-www-form-urlencoded"),
    ):
        assert [(chunk.channel, [one.value for one in chunk.samples]) for chunk in decode(answer.body)] == [("A", [1.0]), ("B", [2.0])]
    found = served.http.get(path.replace("raw", "json") + "&pv=A&pv=B").json()
    assert [series["meta"]["name"] for series in found] == ["A", "B"]


def test_data_at_time(served: ServedStore) -> None:
    """Values at a moment come under the names that were asked for; channels without one, and unknown ones, are left out."""
    served.write([Point("A", T, 1.5, severity=1, status=4), Point("B", T + HOUR, 2.0)], metas=[meta("A", T, units="mA")])
    path = f"/retrieval/data/getDataAtTime?at={format_utc(T + 5)}"
    sample = {"secs": T // SECOND, "nanos": 0, "val": 1.5, "severity": 1, "status": 4, "fields": {}}
    expected = {"ca://A": sample | {"meta": {"DBRType": "DBR_SCALAR_DOUBLE", "EGU": "mA"}}}
    assert served.http.post(path, b'["ca://A", "B", "NONE"]', "application/json").json() == expected
    assert served.http.post(f"{path}&searchPeriod=P1D", b"ca://A", "text/plain").json() == expected
    old = f"/retrieval/data/getDataAtTime?at={format_utc(T + 48 * HOUR)}&searchPeriod=P1D"
    assert served.http.post(old, b'["A"]', "application/json").json() == {}
    assert served.http.post(f"{path}&searchPeriod=1", b'["A"]', "application/json").status == 400
    assert served.http.get("/retrieval/data/getDataAtTime").status == 405


STATUSES = [
    ("getData.raw", 400),
    ("getData.mat?pv=A", 400),
    ("getDataForPVs.csv?pv=A", 400),
    ("getData.raw?pv=NONE", 404),
    ("getData.raw?pv=mean_60(NONE)", 404),
    ("getData.raw?pv=mean_60(A", 400),
    ("getData.raw?pv=mean_abc(A)", 404),
    ("getData.raw?pv=mean_0(A)", 404),
    ("getData.raw?pv=flyers_60_x(A)", 404),
    ("getData.raw?pv=A&pp=mean_-5", 404),
    ("getData.raw?pv=A&from=tomorrow", 400),
    ("getData.raw?pv=A&from=2026-13-01T00:00:00Z", 400),
    ("getData.raw?pv=A&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", 400),
    ("getData.raw?pv=A&timeranges=2026-02-01T00:00:00Z", 400),
    ("getData.raw?pv=mean_1(A)&from=1970-01-01T00:00:00Z&to=2100-01-01T00:00:00Z", 400),
    ("getData.raw?pv=unknown_7(A)&from=2020-01-01T00:00:00Z", 200),
    ("getData.raw?pv=A&from=2020-01-01T02:00:00+02:00&usereduced=true&donotchunk=&nonsense=1", 200),
    ("getData.raw?pv=ArchApplPingPV", 200),
]


def test_statuses(served: ServedStore) -> None:
    """What cannot be answered is refused with the status of the protocol and one line; unknown parameters and operators are nothing."""
    served.write([Point("A", T, 1.5)])
    for path, status in STATUSES:
        answer = served.http.get(f"/retrieval/data/{path}")
        assert answer.status == status, (path, answer.body)
        assert status == 200 or answer.text.count("\n") == 1


def test_bpl(served: ServedStore) -> None:
    """Metadata come as texts; a channel that has samples and is not archived any more is known and not archived."""
    served.write([Point("A", T, 1.5)], metas=[meta("A", T, units="mA", precision=3)])
    told = served.http.get("/retrieval/bpl/getMetadata", pv="A.VAL").json()
    assert told["pvName"] == "A"
    assert (told["DBRType"], told["scalar"], told["EGU"], told["PREC"]) == ("DBR_SCALAR_DOUBLE", "true", "mA", "3")
    assert served.http.get("/retrieval/bpl/getMetadata", pv="B").status == 404
    assert served.http.get("/retrieval/bpl/areWeArchivingPV", pv="A").json() == {"status": "false"}


ODD = st.text(st.sampled_from(list("A:.()_,*?%'\"\\;\n\r\0é中 -0123456789amenotpTZ+")), max_size=25)
CALLS = st.builds("{}{}({})".format, st.sampled_from([*OPERATORS, "none"]), st.one_of(st.just(""), ODD.map("_{}".format)), st.just("A"))
PLAIN_TIMES = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    extension=st.sampled_from(["raw", "json", "qw", "csv", "txt"]),
    pv=st.one_of(CALLS, ODD),
    start=st.one_of(PLAIN_TIMES, ODD),
    end=st.one_of(PLAIN_TIMES, ODD, st.none()),
    more=st.dictionaries(st.sampled_from(["pp", "timeranges", "limit", "regex", "at", "fetchLatestMetadata"]), ODD, max_size=2),
)
def test_no_request_breaks_it(served: ServedStore, extension: str, pv: str, start: str, end: str | None, more: dict[str, str]) -> None:
    """Whatever stands for names, operators, arguments and times: the answer is complete or a refusal of one line, never a failure."""
    if "A" not in served.store.names():
        served.write([Point("A", T + at, float(at)) for at in range(5)])
    parameters = {"pv": pv, "from": start, **more} | ({"to": end} if end is not None else {})
    for path in (f"data/getData.{extension}", "bpl/getMatchingPVs", "bpl/searchForPVsRegex"):
        answer = served.http.get(f"/retrieval/{path}", **parameters)
        assert answer.status in {200, 400, 404}, (answer.status, answer.body)
        assert b"Traceback" not in answer.body
