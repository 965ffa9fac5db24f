from __future__ import annotations

import time

from archioc.core.table.table import ProcessState
from tests.processes.control_process import ControlProcess

AHEAD_S = 600.0
"""Longer than any test takes, so that none of them has to go on giving signs of life."""


def give_signs_of_life(control: ControlProcess) -> None:
    """Write as an engine and a db process that run, and are not silent until the test is over."""
    until_ns = time.time_ns() + int(AHEAD_S * 1e9)
    for block in (control.table.status, control.table.delivery):
        block.head["heartbeat"][0], block.head["state"][0] = until_ns, ProcessState.RUNNING
