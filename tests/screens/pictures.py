"""`python -m tests.screens.pictures PREFIX PORT CHANNEL DIRECTORY`: every display, drawn with the values of a running archiver, as PNG.

For example of `archioc demo`, whose prefix and port it tells. The pictures in `docs/how-to` are made so.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from archioc.demo.ca_environment import client_variables
from archioc.opi import displays
from tests.processes.ca_client import CaClient
from tests.processes.chromium import Chromium
from tests.processes.ports import free_ports
from tests.screens.drawing import Value, draw
from tests.screens.names import pvs
from tests.screens.reading import read

SETTLE_S = 3.0


class Asked:
    """What an archiver's PVs show; all PVs of a display are connected before the first is asked."""

    def __init__(self, client: CaClient) -> None:
        self._client = client

    def connect(self, path: Path, given: Mapping[str, str]) -> None:
        """Begin to connect all PVs of a display, and give them time."""
        for _, name, _ in pvs(read(path), given):
            self._client.connected(name)
        time.sleep(SETTLE_S)

    def __call__(self, name: str) -> Value:
        if not self._client.connected(name):
            return Value(name, severity=3)
        seen = self._client.describe(name)
        if seen.dbr_type in {"DOUBLE", "FLOAT"}:
            number = self._client.get(name)
            assert isinstance(number, int | float)
            return Value(f"{number:.{seen.precision}f}", seen.units, seen.severity)
        return Value(self._client.get_text(name), seen.units, seen.severity)


def main(prefix: str, port: str, channel: str, directory: str) -> None:
    client = CaClient({**os.environ, **client_variables([int(port)], free_ports(1)[0])})
    asked = Asked(client)
    with tempfile.TemporaryDirectory() as scratch:
        browser = Chromium(Path(scratch))
        try:
            for path in sorted(displays.SHIPPED.glob("*.bob")):
                screen = read(path)
                given = {"P": prefix, "CH": channel, "DID": path.stem}
                asked.connect(path, given)
                if path.stem == "channels":
                    client.put(f"{prefix}View:channels:Select", channel)
                page = Path(scratch, path.stem + ".html")
                page.write_text(draw(path, given, asked), encoding="utf-8")
                browser.resize(screen.width, screen.height)
                browser.open(page.as_uri())
                browser.wait("document.readyState", lambda state: state == "complete")
                Path(directory, path.stem + ".png").write_bytes(browser.screenshot())
        finally:
            browser.close()
            client.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
