from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from archioc.core.spool.encoding.escaping import split_lines, time_of_line

UNPARSABLE = b"value=nan"
CONFLICT = b'value="'

NO_CONTENT = 204
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the double says to one request."""

    status: int = NO_CONTENT
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What the double was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    @property
    def writes(self) -> bool:
        """Whether it posts line protocol."""
        return self.path in {"/write", "/api/v2/write"}

    def lines(self) -> list[bytes]:
        """The line protocol in it."""
        return split_lines(gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body)


def told(status: int, document: object, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(document).encode() + b"\n", {**_JSON, **headers})


class InfluxDouble:
    """An HTTP server that writes, refuses and answers as InfluxDB 1.x, 2.x or 3.x does.

    Bodies and codes are those of servers 1.6, 1.8 and 2.7.12, and of the sources of 3.9. A line with UNPARSABLE cannot
    be parsed, one with CONFLICT has a field of another type, one older than `retention_s` is too old.
    version: as /ping tells it; its first number decides how the double behaves. token: who has no such
    token gets 401. max_body: bytes, compressed for 1.x, decompressed for 3.x.
    """

    def __init__(
        self, version: str, *, retention_s: float | None = None, max_body: int = 25_000_000, tls: ssl.SSLContext | None = None
    ) -> None:
        self.version = version
        self.retention_s = retention_s
        self.max_body = max_body
        self.token: str | None = None
        self.may_create = self.may_see = True
        self.past_s: float | None = None
        """Write window of 1.13: samples older than this (s), or more than `future_s` ahead, are refused."""
        self.future_s: float | None = None
        self.forgiving = False
        """Take every line."""
        self.databases: dict[str, dict[str, Any]] = {}
        self.mappings: list[dict[str, Any]] = []
        self.scripted: list[Answer | float] = []
        """Answers to the next writes; a number is a pause (s) without any."""
        self.lines: set[bytes] = set()
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def major(self) -> int:
        """1, 2 or 3."""
        found = re.match(r"v?([123])", self.version)
        return int(found[1]) if found else 2

    @property
    def writes(self) -> list[Request]:
        """Requests that post line protocol."""
        return [request for request in self.requests if request.writes]

    def stop(self) -> None:
        """Close all."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        """What a server of this version says."""
        self.requests.append(request)
        if self.token is not None and request.headers.get("Authorization") != f"Token {self.token}":
            return self._error(401, "unauthorized", "unauthorized access" if self.major == 2 else "authorization failed")
        if request.path == "/ping":
            return self._ping()
        if request.writes:
            return self._write(request)
        if request.path == "/query":
            return self._query(request.query["q"][0], request.query.get("db", [""])[0])
        return self._manage(request)

    def _ping(self) -> Answer:
        if self.major == 3:
            return told(200, {"version": self.version, "revision": "83b589b883"})
        return Answer(headers={"X-Influxdb-Version": self.version} if self.version else {})

    def _error(self, status: int, code: str, words: str, **headers: str) -> Answer:
        if self.major == 2:
            return told(status, {"code": code, "message": words}, **headers)
        return told(status, {"error": words}, **headers)

    def _write(self, request: Request) -> Answer:
        if self.scripted:
            answer = self.scripted.pop(0)
            if isinstance(answer, Answer):
                return answer
            time.sleep(answer)
        if request.path == "/api/v2/write" and re.match(r"1\.[67]\b", self.version):
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})
        if self.major == 2 and (missing := self._missing(request)) is not None:
            return missing
        lines = request.lines()
        if (sum(map(len, lines)) if self.major == 3 else len(request.body)) > self.max_body:
            return self._error(413, "request too large", "Request Entity Too Large" if self.major == 1 else "body too large")
        if self.forgiving:
            self.lines.update(lines)
            return Answer()
        oldest = 0 if self.retention_s is None or self.major == 3 else time.time_ns() - int(self.retention_s * 1e9)
        bad = [line for line in lines if UNPARSABLE in line]
        conflicts = [line for line in lines if CONFLICT in line]
        old = [line for line in lines if time_of_line(line) < oldest and line not in conflicts and line not in bad]
        if self.past_s is not None or self.future_s is not None:
            return self._write_window(lines, old)
        good = [line for line in lines if line not in {*bad, *conflicts, *old}]
        return {1: self._write_1, 2: self._write_2, 3: self._write_3}[self.major](good, bad, conflicts, old)

    def _missing(self, request: Request) -> Answer | None:
        """What 2.x says where a write names no organisation, or a bucket that is not there."""
        if request.path == "/write":
            mapped = self.virtual or any(one["database"] == request.query["db"][0] for one in self.mappings)
            return None if mapped else self._error(404, "not found", "no dbrp mapping found")
        if not request.query.get("org", [""])[0]:
            return self._error(400, "invalid", "Please provide either orgID or org")
        bucket = request.query["bucket"][0]
        return None if bucket in self.databases else self._error(404, "not found", f'bucket "{bucket}" not found')

    def _write_1(self, good: list[bytes], bad: list[bytes], conflicts: list[bytes], old: list[bytes]) -> Answer:
        """Stores the good lines; of an unparsable line beside others that were dropped it says nothing."""
        self.lines.update(good)
        if dropped := _dropped(conflicts, old):
            return self._error(400, "", f"partial write: {dropped}")
        if not bad:
            return Answer()
        words = "\n".join(f"unable to parse '{line.decode()}': invalid number" for line in bad)
        return self._error(400, "", f"partial write: {words} dropped=0" if good else words)

    def _write_window(self, lines: list[bytes], old: list[bytes]) -> Answer:
        """1.13 with PAST LIMIT and FUTURE LIMIT: a line that is sent alone is counted under retention."""
        now = time.time_ns()
        first, last = now - int((self.past_s or 1e9) * 1e9), now + int((self.future_s or 1e9) * 1e9)
        outside = [line for line in lines if line not in old and not first <= time_of_line(line) <= last]
        self.lines.update(line for line in lines if line not in old and line not in outside)
        if not (old or outside):
            return Answer()
        told = f"dropped {len(old)} points outside retention policy of duration {int(self.retention_s or 0)}s"
        window = f" and {len(outside)} points outside write window (-{self.past_s or 0:g}s to {self.future_s or 0:g}s)"
        words = told + window if len(lines) > 1 else told.replace("dropped 0", "dropped 1")
        return self._error(400, "", f"partial write: {words} dropped={len(old) + len(outside)}")

    def _write_2(self, good: list[bytes], bad: list[bytes], conflicts: list[bytes], old: list[bytes]) -> Answer:
        """Takes nothing of a body that it cannot parse, and the good lines of others."""
        if bad:
            return self._error(400, "invalid", f"unable to parse '{bad[0].decode()}': invalid number")
        self.lines.update(good)
        words = _dropped(conflicts, []) or self._outside(old)
        if not words:
            return Answer()
        return self._error(422, "unprocessable entity", f"failure writing points to database: partial write: {words}")

    def _outside(self, old: list[bytes]) -> str:
        """The words of 2.7.12 for lines that are too old; those of earlier ones are as in 1.x."""
        if not old:
            return ""
        bound = "dropped because it violates a Retention Policy Lower Bound at 2026-11-22T18:28:11.118955072Z"
        oldest, newest = (f"point {line.decode().split()[0]} at 1970-01-01T00:00:00Z {bound}" for line in (old[0], old[-1]))
        words = f"dropped {len(old)} points outside retention policy of duration {self.retention_s:g}s - oldest {oldest}, newest {newest}"
        return f"{words} dropped={len(old)} for database: 1735ea19ce49fdbe for retention policy: autogen"

    def _write_3(self, good: list[bytes], bad: list[bytes], conflicts: list[bytes], old: list[bytes]) -> Answer:
        """Takes a body as a whole or not at all."""
        assert not old, "3.x takes samples of any age"
        if bad or conflicts:
            return self._error(400, "", "parsing failed for write_lp endpoint")
        self.lines.update(good)
        return Answer()

    @property
    def virtual(self) -> list[dict[str, Any]]:
        """Mappings that 2.x, from 2.1 on, has of itself: of each bucket that has no other."""
        if self.major != 2 or self.version.startswith("v2.0"):
            return []
        mapped = {one["bucketID"] for one in self.mappings}
        return [
            {"id": bucket["id"], "bucketID": bucket["id"], "database": name, "retention_policy": "autogen", "virtual": True}
            for name, bucket in self.databases.items()
            if bucket["id"] not in mapped
        ]

    def _query(self, statement: str, database: str) -> Answer:
        if self.major == 2 and not (self.may_see and any(one["database"] == database for one in [*self.mappings, *self.virtual])):
            return told(200, {"results": [{"statement_id": 0, "error": f"database not found: {database}"}]})
        if self.major == 1 and (found := re.match(r'CREATE DATABASE "(\w+)"(?: WITH DURATION (\d+)s)?$', statement)):
            if not self.may_create:
                return told(200, {"results": [{"statement_id": 0, "error": "error authorizing query: not an admin"}]})
            self.databases[found[1]] = {}
            self.retention_s = float(found[2]) if found[2] else self.retention_s
            return told(200, {"results": [{"statement_id": 0}]})
        if statement == "SHOW DATABASES":
            return _series(["name"], [[name] for name in self.databases])
        if statement.startswith("SHOW RETENTION POLICIES"):
            policy = ["autogen", f"0h{int(self.retention_s or 0)}s", True]
            if self.past_s is None and self.future_s is None:
                return _series(["name", "duration", "default"], [policy])
            window = [f"{limit or 0:g}s" for limit in (self.past_s, self.future_s)]
            return _series(["name", "duration", "default", "futureWriteLimit", "pastWriteLimit"], [[*policy, *reversed(window)]])
        return _series([], [])

    def _manage(self, request: Request) -> Answer:
        """The parts of the API with which 2.x and 3.x make buckets, databases and mappings."""
        if request.method == "POST":
            return self._create(request.path, json.loads(request.body))
        name = request.query.get("name", [""])[0]
        if request.path == "/api/v2/buckets" and self.major == 2:
            if name not in self.databases:
                return self._error(404, "not found", f'bucket "{name}" not found')
            return told(200, {"buckets": [self.databases[name]] if self.may_see else []})
        if request.path == "/api/v2/orgs" and self.major == 2:
            return told(200, {"orgs": [{"id": "0123", "name": request.query["org"][0]}] if self.may_see else []})
        if request.path == "/api/v2/dbrps" and self.major == 2:
            return told(200, {"content": [*self.mappings, *self.virtual] if self.may_see else []})
        return self._error(404, "not found", "not found")

    def _create(self, path: str, wanted: dict[str, Any]) -> Answer:
        if not self.may_create:
            return self._error(401, "unauthorized", "write:orgs/0123/buckets is unauthorized")
        if path == "/api/v2/buckets" and self.major == 2:
            self.databases[wanted["name"]] = {**wanted, "id": "4567"}
            self.retention_s = next((rule["everySeconds"] for rule in wanted["retentionRules"]), None)
            return told(201, self.databases[wanted["name"]])
        if path == "/api/v2/dbrps" and self.major == 2:
            self.mappings.append({**wanted, "id": "89ab", "virtual": False})
            return told(201, self.mappings[-1])
        if path == "/api/v3/configure/database" and self.major == 3:
            if wanted["db"] in self.databases:
                return self._error(409, "", "attempted to create a resource that already exists")
            self.databases[wanted["db"]] = wanted
            return Answer(200)
        return self._error(404, "not found", "not found")


def _dropped(conflicts: list[bytes], old: list[bytes]) -> str:
    """The words of 1.x and 2.x; a conflict hides that others were too old."""
    if conflicts:
        words = 'field type conflict: input field "value" on measurement "sample" is type string, already exists as type float'
        return f"{words} dropped={len(conflicts)}"
    return f"points beyond retention policy dropped={len(old)}" if old else ""


def _series(columns: list[str], values: list[list[object]]) -> Answer:
    series = [{"columns": columns, "values": values}] if values else []
    return told(200, {"results": [{"statement_id": 0, "series": series}]})


def _handler_of(double: InfluxDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = double.answer(Request(self.command, parts.path, parse_qs(parts.query), self.headers, body))
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                self.close_connection = True  # the client had no patience

        do_GET = do_POST = reply  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name for it
            """Not to the terminal."""

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    return Handler
