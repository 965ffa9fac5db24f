"""Names with parentheses, commas and brackets: every post-processor reads them, and both searches find them, whatever the case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory
from tests.processes.served_store import ServedStore
from tests.readers.appliance_decoder import decode

T = 1_767_225_600 * SECOND
NAMES = ["ODD:a(b)", "ODD:a[0]", "ODD:a,60", "ODD:x,y(1,2)", "Odd:Mode", "ODD:((", "PLAIN"]
OPERATORS = [
    "mean",
    "min",
    "max",
    "count",
    "std",
    "variance",
    "popvariance",
    "median",
    "skewness",
    "kurtosis",
    "jitter",
    "stats",
    "errorbar",
    "linear",
    "loess",
    "optimized",
    "optimLastSample",
    "firstSample",
    "lastSample",
    "firstFill",
    "lastFill",
    "ignoreflyers",
    "flyers",
    "ncount",
    "nth",
    "caplotbinning",
    "deadBand",
    "meanSample",
]


@pytest.fixture(scope="module")
def served(served_store_of_module: ServedStoreFactory) -> ServedStore:
    made = served_store_of_module()
    made.write([Point(name, T + at * SECOND, float(at)) for name in NAMES for at in range(100)])
    return made


@pytest.fixture(scope="module")
def served_store_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStoreFactory]:
    made: list[ServedStore] = []

    def start() -> ServedStore:
        made.append(ServedStore(tmp_path_factory.mktemp("odd")))
        return made[-1]

    yield start
    for one in made:
        one.close()


def raw(served: ServedStore, pv: str) -> object:
    answer = served.http.get("/retrieval/data/getData.raw", pv=pv, to=format_utc(T + 99 * SECOND), **{"from": format_utc(T)})
    assert answer.status == 200, (pv, answer.body[:200])
    chunks = decode(answer.body)
    return [[(one.time_ns, repr(one.value)) for one in chunk.samples] for chunk in chunks]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_reads_every_name(served: ServedStore, operator: str) -> None:
    """What an operator makes of a channel does not depend on its name, also with an argument after the name."""
    with_argument = () if operator == "ncount" else (f"{operator}_50({{}})", f"{operator}({{}},50)", f"{operator}({{}}, 50)")
    for form in (f"{operator}({{}})", *with_argument):
        for name in NAMES:
            assert raw(served, form.format(name)) == raw(served, form.format("PLAIN")), (form, name)


@pytest.mark.parametrize("pv", ["mean(PLAIN", "mean)PLAIN(", "mean((PLAIN)", "(PLAIN)", "mean()", "mean(PLAIN))"])
def test_parentheses_that_do_not_match(served: ServedStore, pv: str) -> None:
    """What is neither a name nor an operator on one is refused, and is no search for another channel."""
    answer = served.http.get("/retrieval/data/getData.raw", pv=pv, to=format_utc(T + SECOND), **{"from": format_utc(T)})
    assert answer.status == 400


def test_both_searches_find_the_same(served: ServedStore) -> None:
    """What a person types finds the same names over both protocols: case does not matter, brackets stand for themselves."""
    for typed, expected in (
        ("*mode*", ["Odd:Mode"]),
        ("odd:A[0]*", ["ODD:a[0]"]),
        ("*a[0]", ["ODD:a[0]"]),
        ("plain", ["PLAIN"]),
        ("ODD:a(b)", ["ODD:a(b)"]),
        ("ODD:a?b?", ["ODD:a(b)"]),
        ("*[", []),
    ):
        regex = "".join({"*": ".*", "?": ".", ".": r"\.", "(": r"\(", ")": r"\)"}.get(letter, letter) for letter in typed)
        asked = {"regex": regex}, {"pv": typed}
        for query in asked:
            found = served.http.get("/retrieval/bpl/getMatchingPVs", **query).json()
            assert sorted(found) == sorted(expected), query
        from_json = served.http.get(f"/archive/1/channels-by-pattern/{typed.replace('[', '%5B').replace('?', '%3F')}").json()
        assert sorted(from_json) == sorted(expected), typed


def test_gap_before_the_range(served_store: ServedStoreFactory) -> None:
    """The first sample after a gap that ended before the range tells of it, where the answer begins with the sample before the gap."""
    name, served = "GAP", served_store()
    served.write(
        [Point(name, T + at * SECOND, 1.0) for at in (0, 50, 60)],
        [ChannelEvent(name, T + 10 * SECOND, Reason.DISCONNECTED, T + 20 * SECOND)],
    )
    start, end = format_utc(T + 30 * SECOND), format_utc(T + 70 * SECOND)
    answer = served.http.get("/retrieval/data/getData.raw", pv=name, to=end, **{"from": start})
    told = [sample.fields for chunk in decode(answer.body) for sample in chunk.samples]
    begin = T // SECOND
    assert told == [{}, {"cnxlostepsecs": f"{begin + 10}", "cnxregainedepsecs": f"{begin + 20}"}, {}]
    inside = served.http.get("/retrieval/data/getData.raw", pv=name, to=end, **{"from": format_utc(T + 50 * SECOND)})
    assert decode(inside.body)[0].samples[0].fields == {}
