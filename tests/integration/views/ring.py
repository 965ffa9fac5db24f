"""Sixty channels in two families, as an engine that archives them shows them, and the rows of a view."""

from __future__ import annotations

import sqlite3
import time

from archioc.core.table.table import ChannelState, ProcessState
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess

COUNT = 60

NAMES = [f"SR:{'VAC' if number % 2 else 'MAG'}:{number:02d}" for number in range(COUNT)]

BY_NAME = sorted(NAMES)

SITE = "groups: {vac: {channels: [" + ", ".join(NAMES[1::2]) + "]}}\nchannels: [" + ", ".join(NAMES[::2]) + "]"

ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"


def rows_of(control: ControlProcess) -> dict[str, int]:
    """The row of each channel in the channel table."""
    database = sqlite3.connect(control.directories.registry)
    found = dict(database.execute("SELECT name, row FROM channel").fetchall())
    database.close()
    return found


def connect(control: ControlProcess) -> None:
    """Write as an engine that archives all channels: number n has the value n, n updates/s, and an age of n minutes."""
    cells, now = control.table.status.cells, time.time_ns()
    for name, row in rows_of(control).items():
        number = int(name[-2:])
        cells["connected"][row], cells["state"][row], cells["value"][row] = 1, ChannelState.ARCHIVING, number
        cells["event_rate"][row], cells["received_at"][row], cells["units"][row] = number, now - number * 60 * 10**9, b"mA"
        cells["generation"][row] = 1
    control.table.status.head["heartbeat"][0] = now + 60 * 10**9
    control.table.status.head["state"][0] = ProcessState.RUNNING


def shown(client: CaClient, view: str, count: int = 25) -> list[str]:
    """The names in the first rows."""
    for row in range(count):
        client.connected(f"{view}Row{row:02d}:Name")
    return [client.get_text(f"{view}Row{row:02d}:Name") for row in range(count)]
