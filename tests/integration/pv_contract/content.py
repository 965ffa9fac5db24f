"""The rows of the contract, a put for each that can be written, and what the audit tells of puts."""

from __future__ import annotations

import csv
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.processes.control_process import ControlProcess

CONTRACT = Path(__file__).parents[3] / "docs/reference/contract/pvs.csv"

CHANNELS = "groups: {vac: {channels: [SR:DCCT]}}\nchannels: [SR:OTHER]"

ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the contract, for one channel and one group."""

    pv: str
    dbr_type: str
    count: int
    enum_strings: list[str]
    units: str
    precision: int
    access: str
    description: str


def contract() -> list[Row]:
    with CONTRACT.open() as file:
        return [
            Row(
                row["name"]
                .replace("<name>", "SR:DCCT")
                .replace("<group>", "vac")
                .replace("<view>", "v1")
                .replace("<slot>", "Row00")
                .replace("<groupslot>", "Group00"),
                row["dbr_type"],
                int(row["count"]),
                row["enum_strings"].split(";") if row["enum_strings"] else [],
                row["unit"],
                int(row["precision"] or 0),
                row["access"],
                row["description"],
            )
            for row in csv.DictReader(file)
        ]


SETTINGS = {
    "CH:SR:DCCT:Enable": 0,
    "CH:SR:DCCT:Rate": 5.0,
    "CH:SR:DCCT:Mode": 1,
    "CH:SR:DCCT:Deadband": 0.25,
    "CH:SR:DCCT:DeadbandPct": 2.0,
    "CH:SR:DCCT:MaxInterval": 60.0,
    "CH:SR:DCCT:Mask": 1,
    "CH:SR:DCCT:Quota": 10.0,
    "CH:SR:DCCT:Clock": 2,
    "CH:SR:DCCT:MaxElements": 100,
    "CH:SR:DCCT:LargeArrays": 2,
    "CH:SR:DCCT:AsText": 1,
    "CH:SR:DCCT:Desc": "beam current",
    "CH:SR:DCCT:Group": "",
    "GRP:vac:Enable": 0,
    "GRP:vac:Condition": "SR:MODE > 2",
}

OF_A_ROW = {name.replace("CH:SR:DCCT:", "View:v1:Row00:"): value for name, value in SETTINGS.items() if name.startswith("CH:")}

OF_A_GROUP_SLOT = {name.replace("GRP:vac:", "View:v1:Group00:"): value for name, value in SETTINGS.items() if name.startswith("GRP:")}

COMMANDS: dict[str, object] = {
    "Add": "A:1",
    "AddList": ["A:2"],
    "Set": "A:1 rate=3",
    "RemoveList": ["A:2"],
    "Rename": "A:1 A:4",
    "Remove": "A:4",
    "Flush": 1,
    "ImportFile": "more.txt",
    "Apply": 1,
    "AlarmServer:Heartbeat": 1,
    "CH:SR:DCCT:Remove": "SR:DCCT",
}

OF_A_VIEW: dict[str, object] = {
    f"View:v1:{name}": COMMANDS[name] for name in ("Add", "Set", "Rename", "Remove", "Flush", "ImportFile", "Apply")
}
"""Commands of a view: they act as those of the archiver (tests/integration/views/test_results.py)."""


@dataclass(frozen=True, slots=True)
class Audited:
    """An entry of the audit."""

    pv: str
    outcome: str
    user: str
    host: str
    peer: str
    new: str


def audited(control: ControlProcess) -> list[Audited]:
    """All puts so far: those carried out, oldest first, then those refused, one for each peer, PV and minute."""
    database = sqlite3.connect(control.directories.registry)
    columns = "pv, outcome, user, host, peer, new"
    found = database.execute(f"SELECT {columns} FROM audit UNION ALL SELECT {columns} FROM refused_put").fetchall()
    database.close()
    return [Audited(*columns) for columns in found]
