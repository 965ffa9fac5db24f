from __future__ import annotations

from pathlib import Path

from archioc.demo.child import Child
from archioc.demo.processes import start_soft_ioc


class SoftIoc:
    """A real EPICS soft IOC on a port of its own; started when made, and restarted on the same port.

    database: the text of a database, or a file of one.
    """

    def __init__(self, database: str | Path, macros: str, port: int, repeater_port: int, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port
        self._macros, self._repeater_port, self._directory = macros, repeater_port, directory
        if isinstance(database, Path):
            self._database = database
        else:
            self._database = directory / "ioc.db"
            self._database.write_text(database)
        self._child = self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._child.stop(timeout_s=30.0)

    def kill(self) -> int:
        """SIGKILL; returns the exit status."""
        return self._child.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same port with the values of the database."""
        self.stop()
        self._child = self._start()

    def _start(self) -> Child:
        return start_soft_ioc(self._database, self._macros, self.port, self._repeater_port, self._directory)
