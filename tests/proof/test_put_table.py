"""Every writable PV, put in every plain type, with and without completion, by clients that may and that may not: a table of answers."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.pv_contract.content import (
    CHANNELS,
    COMMANDS,
    OF_A_GROUP_SLOT,
    OF_A_ROW,
    OF_A_VIEW,
    ONLY_THIS_HOST,
    SETTINGS,
    Row,
    contract,
)
from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import Opened, RawConnection
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

TYPES = {
    "STRING": frames.STRING,
    "CHAR": frames.CHAR,
    "SHORT": frames.INT,
    "LONG": frames.LONG,
    "FLOAT": frames.FLOAT,
    "DOUBLE": frames.DOUBLE,
    "ENUM": frames.ENUM,
}
STRANGER = "127.0.0.2"
ANSWERED_S = 1.0
READS_FILES = {"Apply", "ImportFile"}
"""Commands that read files in a process of their own, which takes as long as that process takes to start."""
FILES_S = 10.0
NOT_ALLOWED = 376
"""ECA_NOWTACCESS of `caerr.h`."""

VALUES: dict[str, object] = {
    **SETTINGS,
    **COMMANDS,
    **OF_A_ROW,
    **OF_A_GROUP_SLOT,
    **OF_A_VIEW,
    "View:v1:Filter": "dcct",
    "View:v1:Select": "SR:DCCT",
    "View:v1:GroupSelect": "vac",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A put. value: as the PV is meant to take it; the type may not fit it."""

    row: Row
    type_name: str
    notify: bool
    allowed: bool

    @property
    def payload(self) -> tuple[int, bytes]:
        """Number of elements and bytes of the value in this type; a text in numbers is the codes of its letters, as Phoebus sends it."""
        value = VALUES.get(self.row.pv, 1)
        value = value[0] if isinstance(value, list) else value
        if self.type_name == "STRING":
            return 1, str(value).encode()[:39].ljust(40, b"\0")
        if self.type_name == "CHAR":
            raw = str(value).encode() + b"\0"
            return len(raw), raw
        assert isinstance(value, str | int | float)
        numbers = [*(float(ord(letter)) for letter in value), 0.0] if isinstance(value, str) else [float(value)]
        return len(numbers), frames.encoded(numbers, TYPES[self.type_name])


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{CHANNELS}\n{ONLY_THIS_HOST}")
    made.start()
    made.directories.imports.mkdir(exist_ok=True)
    (made.directories.imports / "more.txt").write_text("A:3\n")
    ended = threading.Event()
    engine = threading.Thread(target=_flush, args=(made, ended))
    engine.start()
    yield made
    ended.set()
    engine.join()
    made.close()


def _flush(control: ControlProcess, ended: threading.Event) -> None:
    """Answer `Flush` as an engine does."""
    while not ended.wait(0.01):
        control.table.status.head["flush_done"][0] = control.table.settings.head["flush"][0]


def cases() -> list[Case]:
    rows = [row for row in contract() if row.access != "read"]
    found = [
        Case(row, name, notify, allowed) for row in rows for name in TYPES for notify in (True, False) for allowed in (True, False)
    ]
    draw = random.Random(1)
    draw.shuffle(found)
    return found if counts().whole_minute else found[: len(found) // 5]


def test_table_of_puts(control: ControlProcess, prefix: str) -> None:
    """Each put is answered within 1 s, with a status where completion was asked; one that is refused changes nothing at all."""
    table: Counter[tuple[str, str]] = Counter()
    late = []
    with RawConnection(control.port) as friend, RawConnection(control.port, source=STRANGER) as stranger:
        for case in cases():
            connection = friend if case.allowed else stranger
            (channel,) = connection.open([prefix + case.row.pv])
            if channel is None:  # removed by an earlier put
                connection.open([prefix + "Add"])
                continue
            before = state(control)
            begun = time.monotonic()
            status = put(connection, channel, case, prefix)
            if time.monotonic() - begun > (FILES_S if case.row.pv.rpartition(":")[2] in READS_FILES else ANSWERED_S):
                late.append(case)
            changed = state(control)[0] - before[0]
            if status:
                assert state(control) == before, case
            if not case.allowed and case.row.access != "anyone":
                assert status in ({NOT_ALLOWED} if case.notify else {NOT_ALLOWED, -1}), (case, status)
            assert changed in {0, 1}, case
            table[case.type_name, "done" if status == 0 else "not allowed" if status == NOT_ALLOWED else "refused"] += 1
    for name in TYPES:
        print(name, {word: count for (kind, word), count in table.items() if kind == name})
    assert not late
    assert all(table[name, word] for name in TYPES for word in ("done", "not allowed"))


def put(connection: RawConnection, channel: Opened, case: Case, prefix: str) -> int:
    """The status: 0 for done, -1 for an error without one."""
    count, payload = case.payload
    ioid = next(connection.numbers)
    request = frames.put(channel.sid, TYPES[case.type_name], count, payload, ioid, notify=case.notify)
    if case.notify:
        answers = connection.ask(request, ioid)
        return 0 if answers.puts[ioid] == "" else answers.statuses.get(ioid, -1)
    (page,) = connection.open([f"{prefix}View:v2:Page"])
    assert page is not None
    last = next(connection.numbers)  # puts of a client are carried out in order, so this one ends after the other
    after = frames.put(page.sid, frames.LONG, 1, frames.encoded([1.0], frames.LONG), last)
    answers = connection.ask(request + after, last)
    return 0 if not answers.puts.get(ioid) else answers.statuses.get(ioid, -1)


def state(control: ControlProcess) -> tuple[int, bytes]:
    """The revision in the channel table, and all settings in it."""
    return int(control.table.settings.head["revision"][0]), control.table.settings.cells.tobytes()
