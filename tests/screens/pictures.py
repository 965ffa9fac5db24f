"""Every display, drawn with the values of a running archiver, as PNG.

`python -m tests.screens.pictures PREFIX PORT CHANNEL DIRECTORY [SIZE [THEME]]`

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
from tests.screens.known import LOCAL
from tests.screens.names import pvs, rule_pvs
from tests.screens.reading import read

SETTLE_S = 3.0


class Asked:
    """What an archiver's PVs show; all PVs of a display are connected before the first is asked."""

    def __init__(self, client: CaClient) -> None:
        self._client = client
        self._seen: dict[str, Value] = {}

    def connect(self, path: Path, given: Mapping[str, str]) -> None:
        """Begin to connect all PVs of a display, and give them time."""
        self._seen.clear()
        screen = read(path)
        for name in {name for _, name, _ in pvs(screen, given)} | {name for _, name in rule_pvs(screen, given)}:
            if not name.startswith(LOCAL):
                self._client.connected(name)
        time.sleep(SETTLE_S)

    def __call__(self, name: str) -> Value:
        if name not in self._seen:
            self._seen[name] = self._ask(name)
        return self._seen[name]

    def _ask(self, name: str) -> Value:
        if not self._client.connected(name):
            return Value(name, severity=3)
        seen = self._client.describe(name)
        if seen.dbr_type in {"DOUBLE", "FLOAT"}:
            number = self._client.get(name)
            assert isinstance(number, int | float)
            return Value(f"{number:.{seen.precision}f}", seen.units, seen.severity)
        return Value(self._client.get_text(name), seen.units, seen.severity)


def main(prefix: str, port: str, channel: str, directory: str, size: str = "1280x800", theme: str = "light") -> None:
    client = CaClient({**os.environ, **client_variables([int(port)], free_ports(1)[0])})
    asked = Asked(client)
    with tempfile.TemporaryDirectory() as scratch:
        browser = Chromium(Path(scratch))
        try:
            displays.write(Path(scratch, "displays"), displays.SIZES[size], theme)
            for path in sorted(Path(scratch, "displays").glob("*.bob")):
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
