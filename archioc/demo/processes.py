"""The processes around an archiver: CA repeater, soft IOC, independent client. Each call starts one and waits until it is ready."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from archioc.core.machine.python_module import python_module
from archioc.demo.ca_environment import client_variables, server_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.errors import ChildFailed

READY_S = 60.0


def start_repeater(port: int, directory: Path) -> Child:
    """A CA repeater on this port. Raises ChildFailed."""
    return _started(
        Child("repeater", _program("repeater"), directory / "repeater.log", with_variables({"EPICS_CA_REPEATER_PORT": str(port)})),
        "Repeater is listening",
    )


def start_soft_ioc(database: Path, macros: str, port: int, repeater_port: int, directory: Path) -> Child:
    """A soft IOC with this database, on exactly this port. Raises ChildFailed."""
    environment = with_variables(server_variables(port, repeater_port))
    child = _started(Child("soft IOC", _program("soft_ioc", str(database), macros), directory / "ioc.log", environment), "serving\n")
    if f"not on port {port}\n" in child.output():
        child.kill()
        raise ChildFailed(child.name, f"found port {port} in use", child.log)
    return child


def start_witness(
    names: Sequence[str], output: Path, server_ports: Sequence[int], repeater_port: int, directory: Path, mask: str = "log"
) -> Child:
    """A client that writes every update of these channels to `output` (see `archioc.demo.updates`). Raises ChildFailed.

    It is ready when it has searched for all; a channel that nobody serves is waited for.
    """
    listing = directory / f"{output.stem}.names"
    listing.write_text("".join(f"{name}\n" for name in names))
    return _started(
        Child(
            "witness",
            _program("witness", str(listing), str(output), mask),
            directory / f"{output.stem}.log",
            with_variables(client_variables(server_ports, repeater_port)),
        ),
        "watching",
    )


def _program(name: str, *arguments: str) -> list[str]:
    # With our own number it notices also when we have ended before it could ask the kernel to be told.
    return python_module(f"archioc.demo.{name}", str(os.getpid()), *arguments)


def _started(child: Child, ready: str) -> Child:
    try:
        child.wait_for_output(ready, READY_S)
    except BaseException:  # also when interrupted: the caller has nothing yet that it could stop
        child.kill()
        raise
    return child
