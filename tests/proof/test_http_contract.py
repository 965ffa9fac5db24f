"""What HTTP answers is what the contract says, whatever is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pytest
from starlette.exceptions import HTTPException

from archioc.core.errors import ArchiocError
from archioc.core.timestamp import format_utc
from archioc.retrieval.faults import HANDLERS
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.hostile.messages import hostile_messages
from tests.hostile.requests import NAMES, hostile_paths
from tests.processes.archiver import Archiver, StoreBlock
from tests.processes.http_client import HttpClient, http_of
from tests.processes.raw_http import answer_to_the_end, connected
from tests.processes.schemathesis import run_schemathesis
from tests.processes.waiting import PATIENCE_S
from tests.proof.counts import counts

HTTP = {"http": {"enabled": True, "port": 0}}
DATABASE = """
record(ao, "$(P)KNOWN") { field(PINI, "YES") field(EGU, "mA") field(PREC, "3") field(VAL, "123456.75") }
record(mbbo, "$(P)STATE") { field(PINI, "YES") field(ZRST, "Idle") field(ONST, "Ramp") }
"""
VALUE = b"123456.75"
CLIENTS = 16
QUIET_S = 0.4
"""A client that has had no answer for so long ends what it has begun."""

EMBEDDED = pytest.mark.parametrize("store", [{"embedded": {}}], ids=["embedded"])


T = TypeVar("T")


def batched(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many, the last one shorter."""
    rest = iter(things)
    while part := [*islice(rest, size)]:
        yield part


@dataclass(frozen=True, slots=True)
class Site:
    """A running archiver with a channel that has had VALUE and then 1 to 5."""

    archiver: Archiver
    http: HttpClient
    known: str
    state: str

    def check_log(self) -> None:
        """No request has ended in a fault of ours."""
        log = self.archiver.log.read_text()
        assert "Traceback" not in log, log[-5000:]
        assert self.archiver.status().running


@pytest.fixture
def site(store: StoreBlock, archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> Site:
    """The archiver, at rest."""
    ioc = softioc(DATABASE, f"P={prefix}")
    known, state = f"{prefix}KNOWN", f"{prefix}STATE"
    made = archiver([known, state], [ioc.port], store, more=HTTP)
    made.start(connected=2)
    for name in (known, state):
        made.wait_for_samples(name, 0)  # what the records held at first
    client = ca_client([ioc.port])
    for value in range(1, 6):
        client.put(known, float(value))
    made.wait_for_newest(client, {known: known})
    made.wait_for_empty_spool()
    return Site(made, http_of(made.directories), known, state)


@pytest.mark.proof
@pytest.mark.timeout(600)
@EMBEDDED
def test_openapi_with_a_known_channel(site: Site, tmp_path: Path) -> None:
    """Answers about a channel that is there have the statuses, types and schemas of the contract; so do those about any other."""
    asked = f'[parameters]\npv = "{site.known}"\nname = "{site.known}"\n'
    boundaries = ["coverage"] if counts().http_examples > 10 else []
    for seed, settings, phases in ((1, asked, ["examples", *boundaries, "fuzzing"]), (2, "", ["fuzzing"])):
        found = run_schemathesis(site.http.url, tmp_path, counts().http_examples, seed, phases, settings)
        assert not found.failed, found.told
    site.check_log()


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_hostile_requests(site: Site) -> None:
    """Names that are code find nothing, and odd times, operators and numbers are refused: no status above 499 but 504, no trace."""
    ever = {"from": "1971-01-01T00:00:00Z"}
    known = site.http.get("/retrieval/data/getData.json", pv=site.known, **ever)
    assert VALUE in known.body
    for path in hostile_paths(3, counts().hostile_requests, site.known):
        answer = site.http.get(path)
        assert answer.status < 500, (path, answer.status, answer.body)
    for name in NAMES:
        for path in ("/retrieval/data/getData.raw", "/retrieval/data/getData.json", "/api/samples", "/api/alarms", "/api/plot"):
            answer = site.http.get(path, pv=name, **ever)
            assert answer.status in {400, 404}, (path, name, answer.status)
            assert site.known.encode() not in answer.body
    assert site.http.get("/retrieval/data/getData.json", pv=site.known, **ever).json() == known.json()
    site.check_log()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message and what came back; whole: whether the server has ended the connection in time."""

    message: bytes
    answer: bytes
    whole: bool

    @property
    def statuses(self) -> list[int]:
        """Of the answers; interim ones are left out."""
        return [int(found) for found in re.findall(rb"(?:^|\n)HTTP/1\.1 ([2-9]\d\d) ", self.answer)]

    @property
    def is_fault(self) -> bool:
        """Whether it is none of what the contract allows: 503 with a time to come back, 504, or a refusal."""
        ask_again = self.answer.lower().count(b"\nretry-after: ")
        return any(status >= 500 and status not in {503, 504} for status in self.statuses) or self.statuses.count(503) > ask_again

    @classmethod
    def over(cls, address: tuple[str, int], message: bytes, number: int) -> Sent:
        """Send it from one of many addresses and read the answer, or go away at once like one client in twenty."""
        with connected(address, 1, f"127.0.0.{2 + number % 200}") as (connection,):
            connection.settimeout(PATIENCE_S)
            try:
                connection.sendall(message)
                if number % 20 == 0:
                    return cls(message, b"", True)
                return cls(message, answer_to_the_end(connection, QUIET_S), True)
            except TimeoutError:
                return cls(message, b"", False)
            except OSError:  # it has been cut off meanwhile
                return cls(message, b"", True)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@EMBEDDED
def test_hostile_messages(site: Site) -> None:
    """Whatever comes over HTTP is answered, refused or cut off: no fault, no trace, the same process, and data as before."""
    ever = {"from": "1971-01-01T00:00:00Z"}
    known = site.http.get("/retrieval/data/getData.json", pv=site.known, **ever).json()
    host, port = site.http.url.removeprefix("http://").split(":")
    process = site.archiver.pid_of("retrieval")
    messages = hostile_messages(5, counts().http_messages, site.known)
    with ThreadPoolExecutor(CLIENTS) as clients:
        for part in batched(enumerate(messages), CLIENTS * 20):
            for sent in clients.map(lambda one: Sent.over((host, int(port)), one[1], one[0]), part):
                assert sent.whole, sent.message[:500]
                assert not sent.is_fault, (sent.message[:500], sent.answer[:500])
                assert not any(secret in sent.answer for secret in (b"Traceback", b'File "')), sent.message[:500]
    assert site.archiver.pid_of("retrieval") == process
    assert site.http.get("/healthz").status == 200
    assert site.http.get("/retrieval/data/getData.json", pv=site.known, **ever).json() == known
    assert len(site.archiver.log.read_text().splitlines()) < 5000
    site.check_log()


@pytest.mark.proof
@EMBEDDED
def test_known_data_from_every_path(site: Site) -> None:
    """A valid request of each kind returns the data that are known to be there."""
    end = format_utc(2**61)
    span = {"from": "1971-01-01T00:00:00Z", "to": end}
    for path, parameters, expected in (
        ("/retrieval/data/getData.json", {"pv": site.known, **span}, VALUE),
        ("/retrieval/data/getData.qw", {"pv": site.known, **span}, VALUE),
        ("/retrieval/data/getData.csv", {"pv": site.known, **span}, VALUE),
        ("/retrieval/data/getData.txt", {"pv": site.known, **span}, VALUE),
        ("/retrieval/data/getData.raw", {"pv": site.known, **span}, b"EGU"),
        ("/retrieval/data/getData.json", {"pv": f"max_86400({site.known})", **span}, VALUE),
        ("/retrieval/data/getDataForPVs.json", {"pv": f"{site.known},{site.state}", **span}, VALUE),
        (f"/archive/1/samples/{site.known}", {"start": "0", "end": str(2**61)}, VALUE),
        (f"/archive/1/channels-by-pattern/*{site.known[-5:].lower()}", {}, site.known.encode()),
        ("/archive/", {}, b"ArchIOC"),
        ("/retrieval/bpl/getMatchingPVs", {"pv": f"{site.known[:-2]}*"}, site.known.encode()),
        ("/retrieval/bpl/searchForPVsRegex", {"regex": f".*{site.known[2:]}"}, site.known.encode()),
        ("/retrieval/bpl/getMetadata", {"pv": site.known}, b'"mA"'),
        ("/retrieval/bpl/areWeArchivingPV", {"pv": site.known}, b'"true"'),
        ("/mgmt/bpl/getAllPVs", {"pv": f"{site.known}*"}, site.known.encode()),
        ("/mgmt/bpl/getPVStatus", {"pv": site.known}, b"Being archived"),
        ("/mgmt/bpl/getPVTypeInfo", {"pv": site.known}, b"DBR_SCALAR_DOUBLE"),
        ("/mgmt/bpl/getPVDetails", {"pv": site.known}, b"Estimated event rate"),
        ("/api/channels", {"pv": site.known}, b'"mA"'),
        ("/api/plot", {"pv": site.known, "from": "-1h", "to": "now"}, VALUE),
        ("/api/samples", {"pv": site.known, **span}, b'"done":true'),
        ("/api/events", {"pv": site.known, **span}, b'"mA"'),
        ("/metrics", {}, b"archioc_channels 2.0"),
        ("/readyz", {}, b"archiving"),
    ):
        answer = site.http.get(path, **parameters)
        assert answer.status == 200, (path, answer.text)
        assert expected in answer.body, (path, answer.body[:500])
    named = site.http.post("/retrieval/data/getDataAtTime?at=now", f'["{site.known}"]'.encode(), "application/json").json()
    assert named[site.known]["val"] == 5.0
    site.check_log()


@pytest.mark.proof
def test_nothing_is_caught_that_is_not_ours() -> None:
    """The server turns into an answer only what is raised on purpose; any other fault ends in its log."""
    assert all(issubclass(error, ArchiocError) or error is HTTPException for error in HANDLERS)
    assert ArchiocError not in HANDLERS
