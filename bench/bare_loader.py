"""The yardstick of delivery: nothing but bodies that are ready, posted to InfluxDB over plain HTTP."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 60.0


def load(url: str, database: str, bodies: Sequence[bytes], connections: int) -> float:
    """Post gzipped line protocol through so many connections; the seconds that it took. Raises RuntimeError for any refusal."""
    waiting = list(reversed(bodies))
    failures: list[str] = []

    def post() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
        path = "/write?" + urlencode({"db": database, "precision": "ns"})
        while not failures:
            try:
                body = waiting.pop()
            except IndexError:
                break
            connection.request("POST", path, body, {"Content-Encoding": "gzip"})
            answer = connection.getresponse()
            words = answer.read()
            if answer.status != http.client.NO_CONTENT:
                failures.append(f"{answer.status} {words[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - started
    if failures or waiting:
        raise RuntimeError(f"the bare loader was refused: {failures or 'a connection failed'}")
    return spent


def download(url: str, database: str, statement: str) -> float:
    """Have the server answer a query and throw the answer away; the seconds that it took."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    asked = {"db": database, "epoch": "ns", "chunked": "true", "chunk_size": "10000", "q": statement}
    started = time.perf_counter()
    connection.request("GET", "/query?" + urlencode(asked))
    answer = connection.getresponse()
    while answer.read(1 << 17):
        pass
    spent = time.perf_counter() - started
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{statement}: {answer.status}")
    return spent
