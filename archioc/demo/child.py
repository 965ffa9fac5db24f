from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from archioc.demo.errors import ChildFailed

POLL_S = 0.02


class Child:
    """A process in a session of its own (Ctrl-C at the terminal does not reach it) whose output goes to a log file.

    `pass_fds` are kept open in it.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
    ) -> None:
        self.name, self.log = name, log
        self._seen_from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_bytes()[self._seen_from :].decode(errors="replace")

    def wait_for_output(self, text: str, timeout_s: float) -> None:
        """Wait until the log shows `text`. Raises ChildFailed when the process ends first or time is up."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            if not self.running:
                raise ChildFailed(self.name, f"ended with exit status {self._process.returncode}", self.log)
            if time.monotonic() > deadline:
                raise ChildFailed(self.name, f"did not write {text!r} within {timeout_s:g} s", self.log)
            time.sleep(POLL_S)

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float = 5.0) -> int:
        """SIGTERM and wait; SIGKILL when time is up. Returns the exit status (negative: the signal that ended it)."""
        self.ask_to_stop()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL and wait; returns the exit status."""
        self._process.kill()
        return self._process.wait(timeout=10)
