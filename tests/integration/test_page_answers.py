"""What the page asks: `/api/...`, and its files."""

from __future__ import annotations

import math
import timeit
from collections.abc import Callable

import jsonschema
import pytest
import yaml

from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import SECOND, format_utc
from archioc.retrieval.app import OPENAPI
from archioc.retrieval.page.finding import find_names
from tests.archives.batches import T0, Point
from tests.conftest import ArchiverFactory, ServedStoreFactory, SoftIocFactory
from tests.integration.test_http import HTTP
from tests.processes.http_client import http_of
from tests.processes.served_store import ServedStore
from tests.processes.waiting import PATIENCE_S, wait_until


def keeps_contract(told: object, name: str) -> None:
    """An answer is one of the schema with this name, and has nothing that the schema does not tell of."""
    schema = yaml.safe_load(OPENAPI.read_text())["components"]["schemas"][name]
    jsonschema.validate(told, {**schema, "additionalProperties": False}, jsonschema.Draft202012Validator)


@pytest.fixture
def counted(served_store: ServedStoreFactory) -> ServedStore:
    """Channel A with the numbers 0 to 99, one a second, of which 40 to 59 are missing in a gap; then a text."""
    made = served_store()
    points = [Point("A", T0 + at * SECOND, float(at), severity=at % 4) for at in range(100) if not 40 <= at < 60]
    made.write(points, [ChannelEvent("A", T0 + 40 * SECOND, Reason.DISCONNECTED, T0 + 60 * SECOND)])
    return made


def span(first: float, last: float) -> dict[str, str]:
    """Parameters of a span, seconds after T0."""
    return {"from": format_utc(T0 + round(first * SECOND)), "to": format_utc(T0 + round(last * SECOND))}


def test_few_samples_are_all_told(counted: ServedStore) -> None:
    """Up to `bins` samples come as they are, with the one in force at the start, and a row without a number where a gap begins."""
    told = counted.http.get("/api/plot", pv="A", bins="20", **span(30.5, 65)).json()
    keeps_contract(told, "Plot")
    wanted = [*map(float, range(30, 40)), None, *map(float, range(60, 66))]
    assert (told["binned"], told["mean"]) == (False, wanted)
    assert told["min"] == told["max"] == wanted
    assert told["severity"] == [0 if one is None else int(one) % 4 for one in wanted]
    times = [*range(30, 40), 40, *range(60, 66)]
    assert told["time_ms"] == [pytest.approx((T0 + at * SECOND) / 1e6, abs=0.001) for at in times]
    (gap,) = told["events"]
    assert (gap["reason"], gap["gap"], gap["to_ms"] - gap["from_ms"]) == ("disconnected", True, pytest.approx(20_000))


def test_many_samples_are_bins(counted: ServedStore) -> None:
    """More samples come as `bins` bins; one without a sample has the value in force, and none in a gap."""
    told = counted.http.get("/api/plot", pv="A", bins="14", **span(-20, 120)).json()
    keeps_contract(told, "Plot")
    none = [None] * 2
    assert told["binned"]
    assert told["min"] == [*none, 0, 10, 20, 30, *none, 60, 70, 80, 90, 99, 99]
    assert told["max"] == [*none, 9, 19, 29, 39, *none, 69, 79, 89, 99, 99, 99]
    assert told["mean"] == [*none, 4.5, 14.5, 24.5, 34.5, *none, 64.5, 74.5, 84.5, 94.5, 99, 99]
    before = counted.http.get("/api/plot", pv="A", bins="10", **span(25.5, 45.5)).json()
    assert before["min"] == [26, 28, 30, 32, 34, 36, 38, 39, None, None]


def test_wrong_questions(counted: ServedStore) -> None:
    """What breaks a rule is answered with 400 or 404 and a JSON object that names parameter, value and rule."""
    for status, path, parameters, said in (
        (400, "plot", {}, "pv is needed"),
        (404, "plot", {"pv": "NONE"}, "NONE: no such channel in this archive"),
        (400, "plot", {"pv": "A", "bins": "0"}, "bins=0: a whole number from 1 to 4000"),
        (400, "plot", {"pv": "A", "bins": "²"}, "bins=²: a whole number from 1 to 4000"),
        (400, "plot", {"pv": "A", "from": "now", "to": "-1h"}, "from=now, to=-1h: from lies before to, both in 1970 to 2115"),
        (400, "plot", {"pv": "A", "from": "soon"}, "from: 'soon' is not a time"),
        (400, "channels", {"limit": "201"}, "limit=201: a whole number from 1 to 200"),
        (400, "channels", {"search": "a " * 21}, "search: 21 words, at most 20"),
        (404, "channels", {"pv": "NONE"}, "NONE: no such channel in this archive"),
    ):
        answer = counted.http.get(f"/api/{path}", **parameters)
        assert (answer.status, answer.json()["error"][: len(said)]) == (status, said)


def test_files_of_the_page(counted: ServedStore) -> None:
    """The page and its parts are served with a policy under which nothing comes from elsewhere; nothing else is."""
    for path, kind in (("/", "text/html"), ("/page/page.js", "text/javascript"), ("/page/page.css", "text/css")):
        answer = counted.http.get(path)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
        assert "://" not in answer.text
    for path in ("/page/files.py", "/page/..%2Fapp.py", "/page/"):
        assert counted.http.get(path).status == 404


def test_search() -> None:
    """Words stand anywhere in a name, in any case; a glob is for the whole name; brackets are letters."""
    names = ["SR:BPM1:X", "SR:BPM2:X", "LI:BPM[1]:x", "SR:CUR"]
    assert find_names(names, "") == names
    assert find_names(names, " bpm sr ") == names[:2]
    assert find_names(names, "sr:*:x") == names[:2]
    assert find_names(names, "*[1]*") == ["LI:BPM[1]:x"]
    assert find_names(names, "SR:B") == names[:2]
    assert find_names(names, "S?:CUR") == ["SR:CUR"]


def test_search_in_many_names() -> None:
    """A search through 100 000 names takes no more than a few passes over them."""
    names = [f"SR:C{at:05d}:BPM:X" for at in range(100_000)]
    assert len(find_names(names, "bpm c0001")) == 10
    one_pass = quickest(lambda: [name.casefold() for name in names])
    assert quickest(lambda: find_names(names, "bpm c0001")) < 60 * one_pass


def quickest(work: Callable[[], object]) -> float:
    """Time (s) that work takes when nothing else disturbs it: the least of five."""
    return min(timeit.repeat(work, number=1, repeat=5))


def test_states_of_a_running_archiver(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """The list tells of each channel whether it is connected and archived, its newest value, units, alarm and sample."""
    ioc = softioc(
        f'record(ao, "{prefix}A") {{ field(VAL, "1.5") field(PINI, "YES") field(EGU, "mA") field(HIGH, "1") field(HSV, "MINOR") }}'
    )
    made = archiver([f"{prefix}A", f"{prefix}B"], [ioc.port], more=HTTP)
    made.start(connected=1)
    client = http_of(made.directories)

    def listed() -> list[dict[str, object]]:
        found: list[dict[str, object]] = client.get("/api/channels", search=prefix).json()["channels"]
        return found

    wait_until(lambda: listed()[0]["sample_ms"] is not None and listed()[0]["units"], PATIENCE_S, "the sample is taken, the units are told")
    first, second = listed()
    for line in (first, second):
        keeps_contract(line, "ChannelLine")
    told = [first[name] for name in ("name", "archived", "connected", "state", "value", "units", "severity")]
    assert told == [f"{prefix}A", True, True, "archiving", 1.5, "mA", 1]
    assert (second["name"], second["connected"], second["value"], second["time_ms"]) == (f"{prefix}B", False, None, None)
    assert client.get("/api/channels", search=prefix, limit="1").json()["found"] == 2
    assert [one["name"] for one in client.get("/api/channels", pv=f"{prefix}B").json()["channels"]] == [f"{prefix}B"]
    wait_until(lambda: 1.5 in client.get("/api/plot", pv=f"{prefix}A").json()["mean"], PATIENCE_S, "the sample is stored")
    wait_until(lambda: client.get("/api/plot", pv=f"{prefix}A").json()["units"], PATIENCE_S, "the units are stored")
    told = client.get("/api/plot", pv=f"{prefix}A").json()
    assert (told["units"], math.isclose(told["to_ms"] - told["from_ms"], 3_600_000, abs_tol=100)) == ("mA", True)
