"""EPICS_* variables that keep Channel Access on the loopback interface, away from any control network."""

from __future__ import annotations

import os
from collections.abc import Sequence

from archioc.demo.ports import LOOPBACK


def client_variables(server_ports: Sequence[int], repeater_port: int) -> dict[str, str]:
    """What a CA client needs to find the servers on these ports.

    Two servers on one host do not share a port for searches by unicast: each is listed with its own.
    """
    return {
        "EPICS_CA_ADDR_LIST": " ".join(f"{LOOPBACK}:{port}" for port in server_ports),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_REPEATER_PORT": str(repeater_port),
    }


def server_variables(port: int, repeater_port: int) -> dict[str, str]:
    """What the CA server of a soft IOC needs to be on this port of the loopback interface and nowhere else."""
    return {
        "EPICS_CAS_INTF_ADDR_LIST": LOOPBACK,
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": LOOPBACK,
        "EPICS_CAS_BEACON_PORT": str(repeater_port),
        **client_variables([port], repeater_port),
    }


def with_variables(variables: dict[str, str]) -> dict[str, str]:
    """This process's environment without its EPICS_* variables, and with these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EPICS_")} | variables
