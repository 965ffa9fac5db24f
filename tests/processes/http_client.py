from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import orjson

from archioc.core.directories import Directories
from tests.processes.waiting import wait_until

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class HttpClient:
    """A plain client of one server; no proxy."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, /, **parameters: str) -> Answer:
        """GET; an error status is an answer like others."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return self._open(urllib.request.Request(f"{self.url}{path}{query}"))

    def post(self, path: str, body: bytes, content_type: str) -> Answer:
        """POST of a body."""
        return self._open(urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": content_type}))

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), dict(error.headers))


def http_of(directories: Directories, other_than: int = 0) -> HttpClient:
    """A client of the http process of a running archiver, once it answers. other_than: a process that has been killed."""
    found: list[str] = []

    def answers() -> bool:
        if not directories.http_address.exists():
            return False
        address = orjson.loads(directories.http_address.read_bytes())
        if address["pid"] == other_than:
            return False
        found[:] = [f"http://{address['host']}:{address['port']}"]
        try:
            return HttpClient(found[0]).get("/retrieval/bpl/ping").text == "pong"
        except OSError:
            return False

    wait_until(answers, 60, "the http process answers", 0.05)
    return HttpClient(found[0])
