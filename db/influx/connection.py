"""HTTP to an InfluxDB of any version through the connections of influxdb-client: logging in, errors, streamed answers.

Nothing is followed or decoded that the library would follow or decode by itself: `archioc.db.influx.answers` says what an answer means.
"""

from __future__ import annotations

import base64
import re
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient

from archioc.core.config.store import InfluxStore
from archioc.core.errors import ConfigError, QueryError, StoreDenied, StoreRejected, StoreTooLarge, StoreUnavailable
from archioc.db.influx.answers import (
    GEMINI_HEADER,
    VERSION_HEADER,
    Answer,
    NotFound,
    NotInfluxDB,
    Series,
    document_of,
    error_of,
    is_nothing,
    series_of,
)
from archioc.db.influx.words import ServerWords

_POOL = 16

_AS_GEMINI = "1.7.0"
"""What openGemini is like: InfluxQL with policies, written to by `/write`."""

_CUT_OFF_ABOVE = 262_144
"""Bytes of a body. A server in Go that refuses a body reads on about so far, then it cuts the connection, and its 413 is lost."""

_TEXT_OR_MINUS_ZERO = re.compile(rb'("(?:[^"\\]|\\.)*")|(?<=[\[,])-0(?=[,\]])')

_GOES_ON = re.compile(rb'"partial":\s*true\s*\}\s*\]\s*\}\s*$')

_MOST_AHEAD_S = 600.0
"""A server whose clock is further from ours than this is not believed: its answers tell what it takes."""

_OBJECT_IN_FRONT = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)):\s*")
"""What urllib3 puts before the words of an error."""

_MAX_ANSWER = 16_000_000
"""Bytes of an answer that are read, of InfluxQL apart; a list of all mappings of an organisation is long."""

Parameters = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ping:
    """What a server tells of itself. version: empty when it does not; ahead: its clock before ours (s), 0 when that is not credible."""

    version: str
    ahead: float


class InfluxConnection:
    """One server. Thread-safe. Goes through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY tell of.

    Methods raise StoreUnavailable (no answer, 429, 5xx), StoreDenied (401, 403, 404 and whatever else shows that the server or our
    settings must be mended; NotInfluxDB where the answer is somebody else's), StoreRejected (400, 422) or StoreTooLarge (413).
    """

    def __init__(self, settings: InfluxStore) -> None:
        self._settings = settings
        self._words = ServerWords(settings)
        client: Any = InfluxDBClient
        self._client = client(
            url=settings.url,
            token=None,  # the header is ours: see _log_in
            org=settings.org,
            timeout=int(settings.timeout * 1000),
            verify_ssl=settings.verify_tls,
            ssl_ca_cert=str(settings.ca_file) if settings.ca_file else None,
            connection_pool_maxsize=_POOL,
            **_proxy(settings.url),
        )
        self._pool: urllib3.PoolManager = self._client.api_client.rest_client.pool_manager
        self._ports: deque[int] = deque(maxlen=2 * _POOL)
        self.opened = 0
        """How many connections were opened. They are kept: one more may mean that the server was restarted between two requests."""

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
        self._client.close()

    def ping(self) -> Ping:
        """Ask for the version. 1.x and 2.x tell it in a header, 3.x in the body."""
        answer = self._ask("/ping", "GET", [], {}, good={200, 204})
        told = answer.headers.get(VERSION_HEADER) or answer.document.get("version", "")
        if GEMINI_HEADER in answer.headers and not told:
            told = f"{_AS_GEMINI} (openGemini {answer.headers[GEMINI_HEADER]})"
        if answer.status != 204 and not told:
            raise NotInfluxDB(f"{self._settings.url}: /ping: {answer.status} {self._words.shown(answer.words)} (not an answer of InfluxDB)")
        return Ping(self._words.shown(str(told)).removeprefix("v"), _ahead(answer.headers.get("Date")))

    def write(self, path: str, parameters: Parameters, body: bytes, *, gzipped: bool) -> None:
        """Post line protocol; returns when the server has it, which 204 alone says."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        try:
            self._ask(path, "POST", parameters, headers, good={204}, body=body)
        except _ConnectionCut:
            if len(body) <= _CUT_OFF_ABOVE:
                raise
            self.ping()  # the server is there; if it cuts the connection once more, then for the body
            self._write_again(path, parameters, body, headers)

    def _write_again(self, path: str, parameters: Parameters, body: bytes, headers: dict[str, str]) -> None:
        try:
            self._ask(path, "POST", parameters, headers, good={204}, body=body)
        except _ConnectionCut as error:
            raise StoreTooLarge(str(error)) from None

    def json(self, path: str, method: str, parameters: Parameters, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request of the 2.x or 3.x API and the object that answers it; empty for an empty body."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        sent = None if body is None else orjson.dumps(body)
        answer = self._ask(path, method, parameters, headers, good={200, 201, 204}, body=sent)
        return document_of(answer, self._settings.url + path, self._words.shown)

    def query(self, statement: str, parameters: Parameters, *, method: str = "GET") -> Iterator[Series]:
        """The series of the answer to InfluxQL, as they come; times in ns. Raises QueryError too."""
        for line in self.lines(statement, parameters, method=method):
            yield from self.series_of(line)

    def series_of(self, line: bytes) -> list[Series]:
        """The series in a line of an answer. Raises QueryError when it tells of an error, NumberTooLarge, NotInfluxDB."""
        return series_of(line, self._words.shown)

    def lines(self, statement: str, parameters: Parameters, *, method: str = "GET") -> Iterator[bytes]:
        """The lines of JSON of the answer to InfluxQL, as they come, negative zeros mended; times in ns. Raises QueryError too."""
        sent = [*parameters, ("epoch", "ns"), ("chunked", "true"), ("q", statement)]
        try:
            response = self._send("/query", method, sent, {"Accept": "application/json"}, None)
            if response.status != 200:
                self._fail(response)
        except (StoreRejected, NotFound) as error:
            if is_nothing(str(error)):
                return
            raise (QueryError(str(error)) if isinstance(error, StoreRejected) else error) from None
        except StoreTooLarge as error:
            raise StoreDenied(str(error)) from None
        last = b""
        with self._reading(), response:
            for line in response:
                last = line if line.strip() else last
                yield _with_signed_zeros(line)
        response.release_conn()
        if _GOES_ON.search(last[-64:]):
            raise StoreUnavailable(f"{self._settings.url}: the answer to a query ends in the middle")

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """The rows of the answer to InfluxQL as column -> value."""
        found = self.query(statement, [])
        return [dict(zip(series["columns"], values, strict=True)) for series in found for values in series["values"]]

    def tags(self, statement: str) -> list[dict[str, str]]:
        """The tags of each series of the answer to InfluxQL."""
        return [series["tags"] for series in self.query(statement, [])]

    def execute(self, statement: str) -> None:
        """InfluxQL that changes something."""
        for _ in self.query(statement, [], method="POST"):
            pass

    def _ask(
        self, path: str, method: str, parameters: Parameters, headers: dict[str, str], *, good: set[int], body: bytes | None = None
    ) -> Answer:
        """Send a request and read its answer. Raises what stands for an answer with another status than the good ones."""
        response = self._send(path, method, parameters, headers, body)
        if response.status not in good:
            self._fail(response)
        return self._read(response)

    def _fail(self, response: urllib3.BaseHTTPResponse) -> None:
        raise error_of(self._read(response), self._settings.url, self._words.shown)

    def _read(self, response: urllib3.BaseHTTPResponse) -> Answer:
        """The beginning of an answer. A connection with more to come is given up."""
        with self._reading():
            try:
                body = response.read(_MAX_ANSWER, decode_content=True)
                rest = response.read(1)
            finally:
                response.release_conn()
            if rest:
                response.close()
        return Answer(response.status, response.headers, body, response.reason or "")

    def _send(
        self, path: str, method: str, parameters: Parameters, headers: dict[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        url = self._settings.url + path + ("?" + urlencode(parameters) if parameters else "")
        timeout = urllib3.Timeout(total=self._settings.timeout)
        headers = headers | self._log_in()
        with self._reading():
            response = self._pool.request(
                method, url, body=body, headers=headers, timeout=timeout, preload_content=False, redirect=False, retries=False
            )
            self._note_connection(response)
            return response

    def _note_connection(self, response: urllib3.BaseHTTPResponse) -> None:
        """Each connection has a port of its own on our side."""
        sock = getattr(response.connection, "sock", None)
        port = sock.getsockname()[1] if sock is not None else None
        if port is not None and port not in self._ports:
            self._ports.append(port)
            self.opened += 1

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Errors of the network, and what cannot be HTTP, as errors of ours."""
        try:
            yield
        except urllib3.exceptions.SSLError as error:
            raise StoreDenied(self._said(error)) from None
        except (urllib3.exceptions.ProtocolError, ConnectionError) as error:
            raise _ConnectionCut(self._said(error)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise StoreUnavailable(self._said(error)) from None

    def _said(self, error: Exception) -> str:
        if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, urllib3.exceptions.NewConnectionError):
            return f"{self._settings.url}: no answer within {self._settings.timeout:g} s"
        reason = getattr(error, "reason", None) or error
        words = " ".join(map(str, reason.args)) if isinstance(reason, urllib3.exceptions.ProtocolError) else str(reason)
        return f"{self._settings.url}: {self._words.shown(_OBJECT_IN_FRONT.sub('', words))}"

    def _log_in(self) -> dict[str, str]:
        """The header with the secret, read anew each time. Basic is what 1.x and the 1.x paths of later versions know."""
        try:
            token, password = self._settings.secret_token(), self._settings.secret_password()
        except ConfigError as error:
            raise StoreDenied(str(error)) from None
        if token is not None:
            if not (token.isascii() and token.isprintable()):
                raise StoreDenied(f"{self._settings.url}: the token holds letters that a request cannot carry; is it the right file?")
            return {"Authorization": f"Token {token}"}
        if password is None:
            return {}
        pair = base64.b64encode(f"{self._settings.username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


class _ConnectionCut(StoreUnavailable):
    """The connection ended in the middle of a request."""


def _proxy(url: str) -> dict[str, object]:
    """The proxy for a server, as the environment tells it; a user in its address logs in there."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return {}
    found = urllib3.util.parse_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=found.auth) if found.auth else None
    return {"proxy": found._replace(auth=None).url, "proxy_headers": headers}


def _ahead(date: str | None) -> float:
    """How far a clock is ahead of ours (s), from a header `Date`, which has whole seconds; 0 where there is none that is credible."""
    try:
        ahead = parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return ahead if abs(ahead) <= _MOST_AHEAD_S else 0.0


def _with_signed_zeros(line: bytes) -> bytes:
    """InfluxDB writes the float -0.0 as `-0`, which JSON readers take for the integer 0; texts stay as they are."""
    if b"-0," not in line and b"-0]" not in line:
        return line
    return _TEXT_OR_MINUS_ZERO.sub(lambda found: found[1] or b"-0.0", line)
