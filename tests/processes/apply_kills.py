"""Kill -9 of the control process at random moments of an Apply."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import caproto as ca

from archioc.core.config.file import load_declaration
from archioc.core.table.table import RowState
from archioc.ioc.commands.declaring import pick_nothing, plan_declared
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.content import Content, read_content
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa

CHANNELS = 400
COMPLETION_S = 60.0
ANYWHERE = 0.25
"""Part of the kills that come anywhere; most of an Apply is reading the file, so the others come around its end."""
EARLIER, LATER = 0.95, 1.07
"""The end is looked for again after each kill: how long an Apply takes depends on what else the machine does."""

Signature = tuple[object, ...]


def blocks(odd: bool) -> str:
    """One of two files that differ in policies, groups, settings, and in which channels they name."""
    first, rate = (100, 7) if odd else (0, 5)
    names = [f"K:{number:04d}" for number in range(first, first + CHANNELS)]
    free = ", ".join(f"{{pv: {name}, deadband: {rate}}}" for name in names[:200])
    grouped = ", ".join(names[200:])
    condition = "K:MODE > 1" if odd else "K:MODE > 2"
    return (
        f"policies: [{{match: 'K:*', rate: {rate}}}]\n"
        f"groups: {{both: {{condition: '{condition}', channels: [{grouped}]}}, {'odd' if odd else 'even'}: {{channels: [K:G]}}}}\n"
        f"channels: [{free}]"
    )


def signature(content: Content) -> Signature:
    """All that the registry holds, but for rows and revision."""
    channels = {name: (one.declared, one.settings, one.overrides, one.in_file, one.own) for name, one in sorted(content.channels.items())}
    groups = {name: (one.declared, one.overrides, one.in_file) for name, one in sorted(content.groups.items())}
    return channels, groups, tuple(content.layers.policies), content.fingerprint


def followed(content: Content, change: Change) -> Signature:
    """What the registry holds after a change."""
    gone = {channel.name for channel in change.removed}
    channels = {name: one for name, one in content.channels.items() if name not in gone}
    channels |= {one.name: one for one in (*change.added, *change.changed)}
    groups = {name: one for name, one in content.groups.items() if one not in change.removed_groups}
    groups |= {one.name: one for one in change.groups}
    after = Content(channels, groups, {}, content.layers, 0, content.fingerprint if change.fingerprint is None else change.fingerprint)
    whole = signature(after)
    return (*whole[:2], tuple(content.layers.policies if change.policies is None else change.policies), whole[3])


class ApplyKills:
    """A control process that is killed while it follows a file, and started again.

    applied, before: how often the registry had followed it, and how often not.
    """

    def __init__(self, directory: Path, port: int, prefix: str, seed: int) -> None:
        self._random = random.Random(seed)
        self.control = ControlProcess(directory, port, prefix, blocks(odd=False))
        self._registry = self.control.directories.registry
        self._config = directory / "config.yml"
        self._prefix = prefix
        self._odd = False
        self.control.start()
        self._took = self._apply_whole()
        self.applied = self.before = 0

    def kill_once(self) -> None:
        """One Apply that is cut short somewhere. The registry is as before or as after, whole; a put that completed is there."""
        self._put_over("K:0150", 42.0)
        before, done = read_content(self._registry), self._audited()
        self._write_the_other_file()
        after = followed(before, plan_declared(before, load_declaration(self._config), pick_nothing))
        assert after != signature(before)
        anywhere = self._random.random() < ANYWHERE
        share = self._random.uniform(0, 1) if anywhere else self._random.uniform(0.85, 1.15)
        completed = self._kill_during_apply(share * self._took)
        found = signature(read_content(self._registry))
        assert found in (signature(before), after), f"neither before nor after, {share:.3f} of an Apply"
        is_after = found == after
        assert is_after or not completed, "a put that completed is durable"
        assert self._audited() - done == is_after, "a change and its audit go together"
        self.applied += is_after
        self.before += not is_after
        if not anywhere:
            self._took *= EARLIER if is_after else LATER
        self._let_go()
        self.control.start()
        assert signature(read_content(self._registry)) == after, "a start follows the file"
        self._check_table()

    def _apply_whole(self) -> float:
        """An Apply that nobody disturbs; how long it takes (s)."""
        self._write_the_other_file()
        begun = time.monotonic()
        with RawCa(self.control.port) as raw:
            _, channel = raw.open(self._prefix + "Apply")
            raw.send(ca.WriteNotifyRequest([1.0], ca.ChannelType.DOUBLE, 1, channel.sid, 1000))
            raw.wait_for(ca.WriteNotifyResponse, COMPLETION_S)
        return time.monotonic() - begun

    def _write_the_other_file(self) -> None:
        self._odd = not self._odd
        self.control.configure(blocks(self._odd))

    def _put_over(self, name: str, rate: float) -> None:
        with RawCa(self.control.port) as raw:
            _, channel = raw.open(f"{self._prefix}CH:{name}:Rate")
            assert isinstance(raw.put(channel, [rate], ca.ChannelType.DOUBLE), ca.WriteNotifyResponse)

    def _kill_during_apply(self, after_s: float) -> bool:
        """Whether the put had completed at the client."""
        with RawCa(self.control.port) as raw:
            _, channel = raw.open(self._prefix + "Apply")
            raw.send(ca.WriteNotifyRequest([1.0], ca.ChannelType.DOUBLE, 1, channel.sid, 1000))
            time.sleep(after_s)
            self.control.kill()
            try:
                raw.wait_for(ca.WriteNotifyResponse, 1.0)
            except (AssertionError, OSError):
                return False
            return True

    def _let_go(self) -> None:
        """Let go of the rows of removed channels, as the engine does."""
        settings, status = self.control.table.settings.cells, self.control.table.status.cells
        gone = settings["state"] == RowState.REMOVED
        status["generation"][gone] = settings["generation"][gone]
        status["released"][gone] = 1

    def _audited(self) -> int:
        with closing(sqlite3.connect(self._registry)) as connection:
            query = "SELECT count(*) FROM audit WHERE pv = ? AND outcome = 'done'"
            return int(connection.execute(query, (self._prefix + "Apply",)).fetchone()[0])

    def _check_table(self) -> None:
        """The settings block says what the registry says."""
        content, cells = read_content(self._registry), self.control.table.settings.cells
        wanted = {one.row: (one.generation, one.settings.rate, one.settings.deadband) for one in content.channels.values()}
        used = (cells["state"] == RowState.USED).nonzero()[0].tolist()
        assert {row: (int(cells["generation"][row]), float(cells["rate"][row]), float(cells["deadband"][row])) for row in used} == wanted

    def close(self) -> None:
        """End what runs."""
        self.control.close()
