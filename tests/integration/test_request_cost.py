"""What it costs to read a request grows in proportion to its length, whatever it is made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h11
import pytest
import yaml

from archioc.retrieval.appliance.name_lists import names_in
from archioc.retrieval.connection import MAX_HEAD
from tests.processes.served_store import ServedStore

BODY = 300_000
"""Bytes of the longest body here: what grows too fast takes minutes to read so many."""

FREE_S = 0.06
"""Processor time that a request may cost whatever its length: it is near to the limit of length."""

GROWTH = 8.0
"""More than this for four times the length is clearly more than in proportion; half of it would be exact."""

SHAPES = {
    "commas": ",",
    "names": "A,",
    "parentheses": "(",
    "pairs": "()",
    "closed": "),",
    "calls": "mean_1(A),",
    "unended calls": "f(A,",
    "blanks": " ",
    "tabs": "\t ",
    "lines": "\n",
    "backslashes": "\\",
    "digits": "1",
    "times": "T12:34",
    "blank times": "T12:34 ",
    "brackets": "[",
    "closed brackets": "[a]",
    "open lists": '["A",[',
    "quotes": '"',
    "percents": "%",
    "escapes": "%25",
    "stars": "*a",
    "questions": "?*",
    "classes": "[!-",
    "protocols": "a://",
    "fields": "pv=A&",
    "separators": "&;",
    "underscores": "_",
    "underscored": "mean_",
    "dots": ".VAL",
    "signs": "-+",
    "slashes": "/..",
    "letters": "a",
    "beyond ASCII": "\u00e9",
    "braces": '{"a":',
    "strings": '"A",',
    "semicolons": "a;q=0.1,",
    "ranges": "0-0,",
}

BODIES = ("application/json", "application/x-www-form-urlencoded", "text/plain", "")
OPENED = {"application/json": "[", "application/x-www-form-urlencoded": "pv="}

HEADERS = (
    "host",
    "accept",
    "accept-encoding",
    "content-type",
    "origin",
    "range",
    "if-none-match",
    "x-forwarded-for",
    "x-forwarded-proto",
    "connection",
    "expect",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose one part is long. query: written as it stands in the address."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


async def _answered(app: Any, asked: Asked) -> int:
    """The status."""
    statuses: list[int] = []
    sent: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": asked.body, "more_body": False}, {"type": "http.disconnect"}]
    headers = {"host": "127.0.0.1"} | asked.headers
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": asked.method,
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": asked.query.encode(),
        "headers": [(name.encode(), value.encode("utf-8")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
        "root_path": "",
    }

    async def receive() -> MutableMapping[str, Any]:
        if len(sent) == 1:
            await asyncio.sleep(3600)
        return sent.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


class Scale:
    """Weighs requests to one server, in processor time of all threads."""

    def __init__(self, served: ServedStore) -> None:
        self._served = served

    def weigh(self, asked: Asked, times: int = 1) -> float:
        """Seconds, the least of several."""

        async def ask() -> float:
            begun = time.process_time()
            status = await _answered(self._served.app, asked)
            assert status < 500, (asked.method, asked.path, asked.query[:60], asked.headers, status)
            return time.process_time() - begun

        return min(asyncio.run_coroutine_threadsafe(ask(), self._served.loop).result(120) for _ in range(times))

    def grows_too_fast(self, part: LongPart) -> str:
        """Why; empty where the cost is small at full length, or grows in proportion. Begins small: what grows too fast may take hours."""
        for length in (part.most // 16, part.most // 4, part.most) if part.most > MAX_HEAD else (part.most,):
            if self.weigh(part(length)) < FREE_S:
                continue
            short, long = self.weigh(part(length // 4), 2), self.weigh(part(length), 2)
            if long > FREE_S and long / max(short, FREE_S / 10) > GROWTH:
                return f"{short:.3f} s for {length // 4} bytes, {long:.3f} s for {length}"
        return ""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation of the contract; parts of the path that may vary have a value."""
    contract = yaml.safe_load(Path("docs/reference/contract/openapi.yaml").read_text())
    for path, methods in contract["paths"].items():
        shared = methods.get("parameters", [])
        for method, told in methods.items():
            if method == "parameters":
                continue
            parameters = [_resolved(contract, one) for one in [*shared, *told.get("parameters", [])]]
            yield method.upper(), path.replace("{change}", "archivePV"), {**told, "parameters": parameters}


def _resolved(contract: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = contract
    for word in parameter.get("$ref", "#/").removeprefix("#/").split("/"):
        found = found[word] if word else parameter
    return found


@dataclass(frozen=True, slots=True)
class LongPart:
    """Requests of an operation with one long part.

    where: `query`, `path`, `header` or `body`. name: of the parameter or header, or the media type of the body.
    """

    method: str
    path: str
    where: str
    name: str
    shape: str

    @property
    def most(self) -> int:
        """Bytes of the longest one."""
        return BODY if self.where == "body" else MAX_HEAD - 200

    def __call__(self, length: int) -> Asked:
        """A request with so many bytes in this part."""
        path = self.path.replace("{extension}", "json").replace("{key}", "1")
        plain = path.replace("{name}", "A").replace("{pattern}", "A")
        raw = self.shape * (length // len(self.shape.encode()))
        escaped = quote(raw, safe=",()[]:;!*=&")[:length]
        match self.where:
            case "query":
                known = "".join(f"{other}=A&" for other in ("pv", "regex") if other != self.name)
                return Asked(self.method, plain, f"{known}{self.name}={escaped}")
            case "path":
                return Asked(self.method, path.replace(f"{{{self.name}}}", escaped))
            case "header":
                return Asked(self.method, plain, headers={self.name: raw})
            case _:
                body = (OPENED.get(self.name, "") + raw).encode()
                return Asked(self.method, plain, body=body, headers={"content-type": self.name} if self.name else {})


def parts_of(method: str, path: str, told: dict[str, Any], shape: str) -> Iterator[LongPart]:
    """Each parameter of an operation, and its body."""
    for name in {one["name"]: one for one in told["parameters"]}:
        if f"{{{name}}}" not in path:
            yield LongPart(method, path, "query", name, shape)
        elif name in {"name", "pattern"}:
            yield LongPart(method, path, "path", name, shape)
    if method == "POST":
        yield from (LongPart(method, path, "body", kind, shape) for kind in BODIES)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scale]:
    served = ServedStore(tmp_path_factory.mktemp("served"))
    yield Scale(served)
    served.close()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cost_of_parameters_and_bodies(scale: Scale, shape: str) -> None:
    """Each parameter of each operation, and each kind of body, costs at most in proportion to its length."""
    parts = [part for operation in operations() for part in parts_of(*operation, shape)]
    assert len(parts) > 80
    assert not {part: why for part in parts if (why := scale.grows_too_fast(part))}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cost_of_headers(scale: Scale, shape: str) -> None:
    """So does each header that is looked at, and the address of what is not there."""
    paths = ("/retrieval/bpl/getVersion", "/mgmt/bpl/getApplianceInfo", "/page/page.js", "/nothing")
    parts = [LongPart("GET", path, "header", name, shape) for name in HEADERS for path in paths]
    parts.append(LongPart("GET", "/{anything}", "path", "anything", shape))
    assert not {part: why for part in parts if (why := scale.grows_too_fast(part))}


@pytest.mark.parametrize("shape", [",", "A,", "(", "(,", "(),", "),", "a\n", " ,"])
def test_names_are_read_in_linear_time(shape: str) -> None:
    """A list four times as long takes no more than eight times as long to read, at megabytes."""

    def cost(length: int) -> float:
        text, costs = shape * (length // len(shape)), []
        for _ in range(3):
            begun = time.process_time()
            names_in([text], length)
            costs.append(time.process_time() - begun)
        return min(costs)

    short, long = cost(500_000), cost(2_000_000)
    assert long < max(short, 0.005) * GROWTH


def _head_cost(head: bytes, step: int) -> float:
    """Seconds to read a head that comes in pieces of so many bytes, or to refuse it."""
    connection = h11.Connection(h11.SERVER, MAX_HEAD)
    begun = time.process_time()
    for at in range(0, len(head), step):
        connection.receive_data(head[at : at + step])
        try:
            connection.next_event()
        except h11.RemoteProtocolError:
            break
    return time.process_time() - begun


@pytest.mark.parametrize("before", [b"", b"GET /", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: "])
@pytest.mark.parametrize("shape", [b"a", b" ", b"\t", b"a ", b",", b":", b"\r", b"\n", b"X: y\r\n", b"X: y\r\n z\r\n"])
def test_cost_of_heads(before: bytes, shape: bytes) -> None:
    """Below the application too: a head four times as long costs no more than eight times as much, byte by byte and at once."""
    for step in (1, MAX_HEAD):
        for end in (b"", b"\r\n\r\n", b"\x01\r\n\r\n"):
            short, long = (before + shape * (length // len(shape)) + end for length in (15_000, 60_000))
            assert _head_cost(long, step) < max(GROWTH * _head_cost(short, step), FREE_S), (step, end)
