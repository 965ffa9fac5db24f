"""Whether the PVs of displays are there on a running archiver, as libca sees them, of the kind and with the rights that widgets need."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.processes.ca_client import CaClient
from tests.screens.known import LOCAL
from tests.screens.names import pvs, rule_pvs, unfit
from tests.screens.pvs import Promised
from tests.screens.reading import Shown, read

PATIENCE_S = 30.0
"""When nothing more has connected for so long, what has not is not there."""


def check_live(client: CaClient, directory: Path, given: Mapping[str, str], patience_s: float = PATIENCE_S) -> int:
    """Connect every PV of every display; the number of PVs. given: macros of the displays. Raises AssertionError with all findings."""
    asked: dict[str, list[tuple[str, Shown]]] = {}
    uses: dict[str, list[tuple[str, Shown, bool]]] = {}
    for path in sorted(directory.glob("*.bob")):
        screen = read(path)
        for shown, name, is_put in pvs(screen, {**given, "DID": f"WD{path.stem}"}):
            if name.startswith(LOCAL):
                continue
            uses.setdefault(name, []).append((path.name, shown, is_put))
        for shown, name in rule_pvs(screen, {**given, "DID": f"WD{path.stem}"}):
            asked.setdefault(name, []).append((path.name, shown))
    missing = connect(client, [*uses, *asked], patience_s)
    found = [f"{file}: {shown.title}: {name} is not there" for name in missing & set(asked) for file, shown in asked[name]]
    for name, users in uses.items():
        for file, shown, is_put in users:
            whys = ["is not there"] if name in missing else _unfit(client, name, shown, is_put=is_put)
            found += [f"{file}: {shown.title}: {name} {why}" for why in whys]
    assert not found, "\n".join(found)
    return len(uses)


def connect(client: CaClient, names: list[str], patience_s: float = PATIENCE_S) -> set[str]:
    """Connect PVs; those that are not there."""
    missing, since = set(names), time.monotonic()
    while missing and time.monotonic() < since + patience_s:
        connected = {name for name in missing if client.connected(name)}
        if connected:
            missing -= connected
            since = time.monotonic()
        time.sleep(0.1)
    return missing


def _unfit(client: CaClient, name: str, shown: Shown, *, is_put: bool) -> list[str]:
    seen = client.describe(name)
    served = Promised(name, seen.dbr_type, seen.count, tuple(seen.enum_strings), "control" if seen.write_access else "read")
    return [*(["cannot be put"] if is_put and not served.writable else []), *unfit(shown, served)]
