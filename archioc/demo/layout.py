from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from archioc.demo.ca_environment import client_variables
from archioc.demo.ports import LOOPBACK, free_ports
from archioc.demo.records import DemoRecord

ARCHIVER_PREFIX = "ARCH:"


@dataclass(frozen=True, slots=True)
class DemoLayout:
    """Where the demo keeps its files and which ports of the loopback interface it uses."""

    directory: Path
    ioc_port: int
    archiver_port: int
    repeater_port: int

    @property
    def config(self) -> Path:
        return self.directory / "config.yml"

    @property
    def environment(self) -> Path:
        return self.directory / "env"

    @property
    def updates(self) -> Path:
        return self.directory / "updates.jsonl"

    @property
    def summary(self) -> Path:
        return self.directory / "summary.json"

    def variables(self) -> dict[str, str]:
        """What a client needs to reach the IOC and the archiver, and the command line to find the configuration."""
        reach = client_variables([self.ioc_port, self.archiver_port], self.repeater_port)
        return {**reach, "ARCHIOC_CONFIG": str(self.config)}

    def export_lines(self) -> str:
        """The variables as lines for a shell."""
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.variables().items())

    def write(self, records: list[DemoRecord]) -> None:
        """Write the configuration that archives these records into the embedded store, and `env`."""
        settings = {
            "archiver": {"name": "demo", "prefix": ARCHIVER_PREFIX, "state_dir": "./state"},
            "ioc": {"interfaces": [LOOPBACK], "port": self.archiver_port, "beacon_addr_list": [LOOPBACK]},
            "ca": {"addr_list": [f"{LOOPBACK}:{self.ioc_port}"], "auto_addr_list": False, "repeater_port": self.repeater_port},
            "http": {"port": 0},
            "channels": [record.name for record in records],
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))
        self.environment.write_text(self.export_lines())


def new_layout(directory: Path) -> DemoLayout:
    """A layout with ports that are free now."""
    return DemoLayout(directory, *free_ports(3))


def clear(directory: Path) -> None:
    """Remove all that a demo before has left, but for the lock that is held."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()
