from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archioc.demo.processes import start_witness
from archioc.demo.updates import Update, read_updates, updates_by_channel
from tests.processes.waiting import wait_until


class CaWatch:
    """An independent CA client, in a process of its own, that keeps every update of some channels.

    names: without blanks. mask: `log` (DBE_LOG | DBE_ALARM) or `value` (DBE_VALUE | DBE_ALARM).
    """

    def __init__(self, names: Sequence[str], server_ports: Sequence[int], repeater_port: int, directory: Path, mask: str = "log") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._output = directory / "watch.jsonl"
        self._child = start_witness(names, self._output, server_ports, repeater_port, directory, mask)

    @property
    def pid(self) -> int:
        return self._child.pid

    def updates(self) -> list[Update]:
        """What it has written so far, in the order received; complete after `stop`."""
        return list(read_updates(self._output))

    def updates_of(self, channel: str) -> list[Update]:
        """Those of one channel."""
        return [update for update in read_updates(self._output) if update.channel == channel]

    def by_channel(self) -> dict[str, list[Update]]:
        """The same by channel."""
        return updates_by_channel(self._output)

    def wait_for(self, count: int, channel: str, timeout_s: float = 60.0) -> None:
        """Wait for that many updates of a channel. Raises TimeoutError."""
        wait_until(lambda: len(self.by_channel().get(channel, [])) >= count, timeout_s, f"{count} updates of {channel}")

    def stop(self) -> int:
        """Stop it when it has written all that libca delivered; returns the exit status."""
        return self._child.stop(timeout_s=60.0)
