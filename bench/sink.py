"""`python -m bench.sink PARENT PORT`: stands for an InfluxDB server that takes whatever is written to it, at once."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from archioc.core.process import stop_with_parent
from archioc.demo.ports import LOOPBACK


class _TakesAll(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Nothing is logged."""


def main(parent: int, port: int) -> None:
    stop_with_parent(parent)
    with ThreadingHTTPServer((LOOPBACK, port), _TakesAll) as server:
        print("ready", flush=True)  # noqa: T201 - whoever has started it waits for this
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
