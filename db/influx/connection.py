"""HTTP to an InfluxDB of any version through influxdb-client: logging in, errors, streamed answers."""

from __future__ import annotations

import base64
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from archioc.core.config.store import InfluxStore
from archioc.core.errors import ConfigError, QueryError, StoreDenied, StoreError, StoreRejected, StoreTooLarge, StoreUnavailable

_MAX_WORDS = 500
"""How much of a server's words is kept; InfluxDB 1.x repeats every bad line."""

_POOL = 16

_CUT_OFF_ABOVE = 262_144
"""Bytes of a body. A server in Go that refuses a body reads on about so far, then it cuts the connection, and its 413 is lost."""

_TEXT_OR_MINUS_ZERO = re.compile(rb'("(?:[^"\\]|\\.)*")|(?<=[\[,])-0(?=[,\]])')

Parameters = list[tuple[str, str]]


class NumberTooLarge(QueryError):
    """An answer holds a result beyond float64 (the mean of huge numbers): InfluxDB 1.x sends the words of its JSON encoder in its place."""


class NotFound(StoreDenied):
    """404: the server has no such thing, or no such path."""


@dataclass(frozen=True, slots=True)
class Ping:
    """What a server tells of itself. version: empty when it does not; ahead: its clock before ours (s)."""

    version: str
    ahead: float


class InfluxConnection:
    """One server. Thread-safe. Goes through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY tell of.

    Methods raise StoreUnavailable (no answer, 429, 5xx), StoreDenied (401, 403, 404 and whatever
    else shows that the server or our settings must be mended), StoreRejected (400, 422) or StoreTooLarge (413).
    """

    def __init__(self, settings: InfluxStore) -> None:
        self._settings = settings
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

    def close(self) -> None:
        """Close the connections."""
        self._client.api_client.rest_client.pool_manager.clear()
        self._client.close()

    def ping(self) -> Ping:
        """Ask for the version. 1.x and 2.x tell it in a header, 3.x in the body."""
        response, _, sent = self._call("/ping", "GET", [], {}, _preload_content=False)
        headers = urllib3.HTTPHeaderDict(sent)
        try:
            body = response.data
        except urllib3.exceptions.HTTPError as error:
            raise StoreUnavailable(f"{self._settings.url}: {_words(error)}") from None
        told = headers.get("X-Influxdb-Version") or _version_in(body)
        return Ping(told.removeprefix("v"), _ahead(headers.get("Date")))

    def write(self, path: str, parameters: Parameters, body: bytes, *, gzipped: bool) -> None:
        """Post line protocol; returns when the server has it."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        try:
            self._call(path, "POST", parameters, headers, body=body)
        except _ConnectionCut as error:
            if len(body) > _CUT_OFF_ABOVE:
                raise StoreTooLarge(str(error)) from None
            raise

    def json(self, path: str, method: str, parameters: Parameters, body: dict[str, Any] | None = None) -> Any:
        """A request of the 2.x API and its answer."""
        answer, _, _ = self._call(path, method, parameters, {"Accept": "application/json"}, body=body, response_type="object")
        return answer

    def query(self, statement: str, parameters: Parameters, *, method: str = "GET") -> Iterator[dict[str, Any]]:
        """The series of the answer to InfluxQL, as they come; times in ns. Raises QueryError too."""
        for line in self.lines(statement, parameters, method=method):
            yield from series_of(line)

    def lines(self, statement: str, parameters: Parameters, *, method: str = "GET") -> Iterator[bytes]:
        """The lines of JSON of the answer to InfluxQL, as they come, negative zeros mended; times in ns. Raises QueryError too."""
        sent = [*parameters, ("epoch", "ns"), ("chunked", "true"), ("q", statement)]
        try:
            response, _, _ = self._call("/query", method, sent, {"Accept": "application/json"}, _preload_content=False)
        except StoreRejected as error:
            raise QueryError(str(error)) from None
        try:
            yield from map(_with_signed_zeros, response)
        except urllib3.exceptions.HTTPError as error:
            raise StoreUnavailable(f"{self._settings.url}: {_words(error)}") from None
        finally:
            response.close()

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """The rows of the answer to InfluxQL as column -> value."""
        found = self.query(statement, [])
        return [dict(zip(series["columns"], values, strict=True)) for series in found for values in series.get("values", ())]

    def tags(self, statement: str) -> list[dict[str, str]]:
        """The tags of each series of the answer to InfluxQL."""
        return [series.get("tags", {}) for series in self.query(statement, [])]

    def execute(self, statement: str) -> None:
        """InfluxQL that changes something."""
        for _ in self.query(statement, [], method="POST"):
            pass

    def _call(self, path: str, method: str, parameters: Parameters, headers: dict[str, str], **more: Any) -> tuple[Any, int, Any]:
        try:
            answer: tuple[Any, int, Any] = self._client.api_client.call_api(
                path, method, query_params=parameters, header_params=headers | self._log_in(), _return_http_data_only=False, **more
            )
        except ApiException as error:
            raise _store_error(self._settings.url, error) from None
        except urllib3.exceptions.HTTPError as error:
            message = f"{self._settings.url}: {_words(error)}"
            raise (_ConnectionCut if isinstance(error, urllib3.exceptions.ProtocolError) else StoreUnavailable)(message) from None
        return answer

    def _log_in(self) -> dict[str, str]:
        """The header with the secret, read anew each time. Basic is what 1.x and the 1.x paths of later versions know."""
        try:
            token, password = self._settings.secret_token(), self._settings.secret_password()
        except ConfigError as error:
            raise StoreDenied(str(error)) from None
        if token is not None:
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


def _version_in(body: bytes) -> str:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return str(answer.get("version", "")) if isinstance(answer, dict) else ""


def _ahead(date: str | None) -> float:
    """How far a clock is ahead of ours (s), from a header `Date`, which has whole seconds; 0 where there is none."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
    except ValueError:
        return 0.0


def _with_signed_zeros(line: bytes) -> bytes:
    """InfluxDB writes the float -0.0 as `-0`, which JSON readers take for the integer 0; texts stay as they are."""
    if b"-0," not in line and b"-0]" not in line:
        return line
    return _TEXT_OR_MINUS_ZERO.sub(lambda found: found[1] or b"-0.0", line)


def series_of(line: bytes) -> Iterator[dict[str, Any]]:
    """The series in a line of an answer. Raises QueryError when it tells of an error, NumberTooLarge when it is no JSON."""
    if not line.strip():
        return
    try:
        answer = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise NumberTooLarge(f"the server answers {line[:_MAX_WORDS]!r}") from None
    for part in (answer, *answer.get("results", ())):
        if "error" in part:
            raise QueryError(str(part["error"])[:_MAX_WORDS])
    for result in answer.get("results", ()):
        yield from result.get("series", ())


def _store_error(url: str, error: ApiException) -> StoreError:
    status = int(error.status or 0)
    if status == 0:  # the client's word for a certificate that does not hold
        return StoreDenied(f"{url}: {_answer_text(error)}")
    message = f"{url}: {status} {_answer_text(error)}"
    if status == 429 or status >= 500:
        return StoreUnavailable(message, _retry_after(error))
    if status in {400, 422}:
        return StoreRejected(message)
    return {404: NotFound, 413: StoreTooLarge}.get(status, StoreDenied)(message)


def _answer_text(error: ApiException) -> str:
    body = error.body
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or error.reason or "")
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict):
        text = str(answer.get("error") or answer.get("message") or text)
    return text.strip()[:_MAX_WORDS]


def _retry_after(error: ApiException) -> float | None:
    """Seconds of the header Retry-After; a date there (which InfluxDB does not send) counts as none."""
    text = str(urllib3.HTTPHeaderDict(error.headers or {}).get("Retry-After", ""))
    return float(text) if text.isdecimal() else None


def _words(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason)[:_MAX_WORDS]
