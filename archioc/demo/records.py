from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RING_DB = Path(__file__).with_name("ring.db")
PREFIX = "SR:"

_RECORD = re.compile(r'^record\((\w+), "\$\(P\)([^"]+)"\) \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """A record of the demo's database; `static` ones never change by themselves."""

    name: str
    record_type: str
    static: bool


def ring_records(prefix: str = PREFIX) -> list[DemoRecord]:
    """The records to archive, in the order of the file; not those marked `internal`.

    These are steps of a calculation that run several times in one scan. An IOC keeps only the newest of
    several array updates that wait for a client, so two clients need not see the same ones.
    """
    return [
        DemoRecord(prefix + name, record_type, 'info(demo, "static")' in body)
        for record_type, name, body in _RECORD.findall(RING_DB.read_text())
        if 'info(demo, "internal")' not in body
    ]
