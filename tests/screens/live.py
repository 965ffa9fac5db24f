"""Whether the PVs of displays are there on a running archiver, as libca sees them, of the kind and with the rights that widgets need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.processes.ca_client import CaClient
from tests.processes.waiting import wait_until
from tests.screens.names import pvs, unfit
from tests.screens.pvs import Promised
from tests.screens.reading import Shown, read

CONNECTED_S = 30.0


def check_live(client: CaClient, directory: Path, given: Mapping[str, str]) -> int:
    """Connect every PV of every display; the number of PVs. given: macros of the displays. Raises AssertionError with all findings."""
    uses: dict[str, list[tuple[str, Shown, bool]]] = {}
    for path in sorted(directory.glob("*.bob")):
        screen = read(path)
        for shown, name, is_put in pvs(screen, {**given, "DID": f"DID{screen.root.findtext('name', '')[:4]}"}):
            uses.setdefault(name, []).append((path.name, shown, is_put))
    for name in uses:
        client.connected(name)
    wait_until(lambda: all(client.connected(name) for name in uses), CONNECTED_S, "all PVs of the displays are connected", 0.5)
    found = []
    for name, users in uses.items():
        seen = client.describe(name)
        served = Promised(name, seen.dbr_type, seen.count, tuple(seen.enum_strings), "control" if seen.write_access else "read")
        for file, shown, is_put in users:
            if is_put and not served.writable:
                found.append(f"{file}: {shown.title}: {name} cannot be put")
            found += [f"{file}: {shown.title}: {name} {what}" for what in unfit(shown, served)]
    assert not found, "\n".join(found)
    return len(uses)
