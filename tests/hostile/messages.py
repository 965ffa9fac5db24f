"""HTTP messages that nobody in good faith sends, by random choice: odd addresses, heads and bodies, and damaged ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from tests.hostile.requests import ARGUMENTS, NAMES, NUMBERS, OPERATORS, REGEXES, TIMES, hostile_paths

POSTS = (
    "/mgmt/bpl/getPVStatus",
    "/mgmt/bpl/archivedPVs",
    "/mgmt/bpl/unarchivedPVs",
    "/retrieval/data/getDataForPVs.json",
    "/retrieval/data/getDataForPVs.raw",
    "/retrieval/data/getDataAtTime?at=now",
    "/mgmt/bpl/archivePV",
    "/healthz",
)
ASKED = (
    "/retrieval/data/getData.csv?pv=A",
    "/retrieval/data/getDataForPVs.json?pv=A",
    "/api/channels?",
    "/api/plot?pv=A",
    "/api/bins?pv=A",
    "/mgmt/bpl/getPVStatus?",
    "/mgmt/bpl/getAllPVs?",
    "/retrieval/bpl/getMatchingPVs?",
    "/archive/1/samples/A?end=1",
)
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "",
    "\xff",
)
SHAPES = (
    ",",
    "(",
    ")",
    "f(A,",
    " ",
    "\n",
    "\\",
    "9",
    "[",
    '"',
    "%",
    "%25",
    "*a",
    "pv=A&",
    '["A",',
    "T12:34",
    "a://",
    "\x00",
    "\u00e9",
    "\r\n",
)
HOSTS = ("localhost", "127.0.0.1:1", "[::1]", "evil.example", "[", "", "a b", "\xff", "localhost:x", "x" * 300)
HEADERS = (
    "Accept: {}",
    "Accept-Encoding: {}",
    "Origin: {}",
    "Range: bytes={}",
    "If-None-Match: {}",
    "If-Modified-Since: {}",
    "X-Forwarded-For: {}",
    "X-Forwarded-Proto: {}",
    "Expect: {}",
    "Upgrade: {}",
    "Content-Length: {}",
    "Transfer-Encoding: {}",
    "Connection: {}",
    "Cookie: {}",
    "{}: x",
)
WORDS = (
    "0-0,1-1",
    "bytes",
    "websocket",
    "chunked",
    "chunked, chunked",
    "gzip;q=x",
    "100-continue",
    "-1",
    "1",
    "99999999999999999999",
    "null",
    "*",
    "h2c",
    "Upgrade",
    "127.0.0.2, evil",
    "javascript",
    "a" * 4000,
    "\x7f",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "\xff")


def hostile_messages(seed: int, count: int, known: str) -> Iterator[bytes]:
    """Messages of a connection each. known: a channel that some of them ask for."""
    choice = random.Random(seed)
    paths = hostile_paths(seed, count, known)
    for path in paths:
        message = choice.choice(_KINDS)(choice, path)
        yield _damaged(choice, message) if choice.random() < 0.2 else message


def _head(method: str, path: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]).encode("utf-8", "replace")


def _get(_choice: random.Random, path: str) -> bytes:
    return _head("GET", path)


def _odd_head(choice: random.Random, path: str) -> bytes:
    headers = [choice.choice(HEADERS).format(choice.choice(WORDS)) for _ in range(choice.randint(1, 4))]
    return _head(choice.choice(METHODS), path, *headers, host=choice.choice(HOSTS) if choice.random() < 0.3 else "127.0.0.1")


def _long_query(choice: random.Random, _path: str) -> bytes:
    shape = quote(choice.choice(SHAPES), safe=choice.choice(["", ",()[]:;!*=&"]))
    name = choice.choice(
        ["pv", "regex", "from", "to", "timeranges", "pp", "search", "limit", "bins", "at", "start", "searchPeriod", "safe"]
    )
    path = choice.choice(ASKED)
    return _head("GET", f"{path}&{name}={shape * (choice.choice([10, 1000, 20_000, 70_000]) // len(shape))}")


def _post(choice: random.Random, _path: str) -> bytes:
    body = _body(choice)
    length = choice.choice([len(body)] * 8 + [len(body) + 5, max(len(body) - 5, 0)])
    kind = choice.choice(TYPES)
    return _head("POST", choice.choice(POSTS), f"Content-Length: {length}", *([f"Content-Type: {kind}"] if kind else [])) + body


def _chunked(choice: random.Random, _path: str) -> bytes:
    body = _body(choice)[:1000]
    size = choice.choice([f"{len(body):x}"] * 4 + ["-1", "zz", "ffffffffffffffffff", f"{len(body) + 3:x}", "0;a=b"])
    end = choice.choice(["\r\n0\r\n\r\n"] * 3 + ["\r\n0\r\nX: y\r\n\r\n", "0", "\n0\n\n"])
    return _head("POST", choice.choice(POSTS), "Transfer-Encoding: chunked") + f"{size}\r\n".encode() + body + end.encode()


def _body(choice: random.Random) -> bytes:
    shape, times = choice.choice(SHAPES), choice.choice([1, 30, 3000, 100_000])
    texts = [choice.choice(NAMES) for _ in range(choice.randint(1, 4))]
    return choice.choice(
        [
            (shape * times)[:300_000],
            "[" * times,
            f'["{shape * 100}", 1, null]',
            "[" + ",".join(f'"{number}"' for number in range(min(times, 3000))) + "]",
            urlencode({"pv": ",".join(texts)}),
            "\n".join(texts),
            f"{choice.choice(OPERATORS)}_{choice.choice(ARGUMENTS)}({choice.choice(NAMES)})",
            choice.choice(TIMES) + choice.choice(NUMBERS) + choice.choice(REGEXES),
        ]
    ).encode("utf-8", "replace")


def _several(choice: random.Random, path: str) -> bytes:
    """Requests that come together; a damaged one among them."""
    kept = [_get(choice, path).replace(b"Connection: close\r\n", b"") for _ in range(choice.randint(1, 10))]
    return b"".join([*kept, _odd_head(choice, path), _get(choice, path)])


def _bytes(choice: random.Random, _path: str) -> bytes:
    return choice.randbytes(choice.choice([1, 10, 300, 5000]))


def _damaged(choice: random.Random, message: bytes) -> bytes:
    """Cut, or with a byte changed, left out or doubled, most of all in its head."""
    at = choice.randrange(min(len(message), choice.choice([80, 400, 100_000])))
    return choice.choice(
        [
            message[:at],
            message[:at] + choice.randbytes(1) + message[at + 1 :],
            message[:at] + message[at + 1 :],
            message[:at] + message[at : at + 1] * 2 + message[at + 1 :],
            message[:at] + b"\r\n" + message[at:],
        ]
    )


_KINDS = (_get, _get, _get, _odd_head, _odd_head, _long_query, _post, _post, _chunked, _several, _bytes)
