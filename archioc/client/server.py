"""One HTTP server, asked with the standard library."""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import orjson

from archioc.core.errors import ArchiocError, QueryError, ServerUnavailable, StoreDenied, StoreUnavailable, UnknownChannel, UsageError
from archioc.db.query_socket import query_messages as wire

_MEANINGS: dict[int, type[ArchiocError]] = {400: UsageError, 502: StoreDenied, 503: StoreUnavailable, 504: QueryError}

MAX_ERROR = 10_000
"""Bytes of an answer with an error status that are read."""


class Server:
    """Where the archive is asked. url: as `http://HOST:PORT`, with a path where there is one; timeout_s: of each wait for bytes (s)."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"url {url!r}: an address such as http://127.0.0.1:17668")
        self.url, self._timeout_s = url.rstrip("/"), timeout_s

    def names(self, pattern: str) -> list[str]:
        """All names that match a glob. Raises ServerUnavailable, StoreError, UsageError."""
        with self._get("/retrieval/bpl/getMatchingPVs", {"pv": pattern, "limit": "-1"}) as answer:
            found: list[str] = orjson.loads(answer.read())
        return found

    def lines(self, path: str, channel: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """Lines of the query socket about a channel, without the end mark. Raises UnknownChannel, and what `names` does."""
        with self._get(path, {"pv": channel, **parameters}) as answer:
            while (line := wire.decode(answer)) is not None:
                if "done" in line:
                    return
                yield line
        raise ServerUnavailable(f"{self.url}: the answer ended before its end mark")

    @contextmanager
    def _get(self, path: str, parameters: dict[str, str]) -> Iterator[io.BufferedReader]:
        # Only http and https get here.
        request = urllib.request.Request(f"{self.url}{path}?{urlencode(parameters)}")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                yield io.BufferedReader(answer, 1 << 16)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error.code, error.read(MAX_ERROR), parameters["pv"])
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise ServerUnavailable(f"{self.url}: {reason or type(reason).__name__}") from None

    def _refused(self, status: int, body: bytes, channel: str) -> NoReturn:
        text = _text_of(body)
        if status == 404 and text.startswith((f"{channel}: ", "pv: ")):  # words of our server about the name; another server has others
            raise UnknownChannel(channel)
        raise _MEANINGS.get(status, ServerUnavailable)(f"{self.url}: {status} {text}")


def _text_of(body: bytes) -> str:
    """What an answer with an error status says: an object with the key `error`, or a line."""
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:500]
