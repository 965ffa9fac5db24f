from __future__ import annotations

import sys
from pathlib import Path

from archioc.demo.ca_environment import server_variables, with_variables
from archioc.demo.child import Child

YEAR_S = 365.25 * 86_400


def stamp_age_s(number: int, count: int, years: float) -> float:
    """How old (s) the time stamp of a channel is when the server starts: evenly spread up to so many years."""
    return number / count * years * YEAR_S


def start_old_stamps(prefix: str, count: int, years: float, port: int, repeater_port: int, directory: Path) -> Child:
    """A CA server in a process of its own: `count` channels, each with one value, whose stamps are up to `years` old."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.processes.old_stamps_program", prefix, str(count), str(years)]
    return Child("old stamps", command, directory / "server.log", with_variables(server_variables(port, repeater_port)))
