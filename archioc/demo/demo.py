"""The demo as a whole: starts everything, lets it run, stops it in order, compares."""

from __future__ import annotations

import math
import signal
import sys
import time
from pathlib import Path
from typing import Self

from rich.console import Console

from archioc.core.errors import ArchiocError
from archioc.core.machine.python_module import python_module
from archioc.demo.archiver_pvs import ArchiverPvs
from archioc.demo.ca_environment import with_variables
from archioc.demo.child import Child
from archioc.demo.errors import ChildFailed, DemoFailed
from archioc.demo.layout import ARCHIVER_PREFIX, DemoLayout, clear, new_layout
from archioc.demo.lock import DemoLock, demo_lock
from archioc.demo.processes import start_repeater, start_soft_ioc, start_witness
from archioc.demo.readback import archiver_counts, stored_samples
from archioc.demo.records import PREFIX, RING_DB, DemoRecord, ring_records
from archioc.demo.summary import Summary, summarize
from archioc.demo.updates import Update, updates_by_channel

CONNECT_S = 60.0
SETTLED_S = 3.0
"""No more channels are expected to connect when none has for so long."""
SETTLE_S = 1.0
"""An update stamped before the end is taken to have reached both clients by then."""
STOP_S = 4.0
"""All processes together have this long to stop before they are killed."""
FINISH_S = 15.0
"""How long the archiver may take to store the last samples when the demo ends by itself."""


class _Interrupted(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP; not an error that anything in between may handle."""


class _Running:
    """The processes of a demo, in the order started."""

    def __init__(self, layout: DemoLayout, records: list[DemoRecord], lock: DemoLock, kept: bool) -> None:
        self.layout, self.records = layout, records
        self.names = [record.name for record in records]
        self._lock, self._kept = lock, kept
        self.children: list[Child] = []

    def start(self) -> None:
        """Start IOC and archiver, and, when the archiver has all channels, the witness. Raises ChildFailed, DemoFailed."""
        layout, directory = self.layout, self.layout.directory
        self.children.append(start_repeater(layout.repeater_port, directory))
        self.children.append(start_soft_ioc(RING_DB, f"P={PREFIX}", layout.ioc_port, layout.repeater_port, directory))
        command = python_module("archioc", "run", str(layout.config))
        environment = with_variables(layout.variables())
        archiver = Child("archiver", command, directory / "archiver.log", environment, pass_fds=[self._lock.descriptor])
        self.children.append(archiver)
        self._lock.name_holder(archiver.pid)
        self._wait_for_channels(archiver)
        self.children.append(start_witness(self.names, layout.updates, [layout.ioc_port], layout.repeater_port, directory))

    def check(self) -> None:
        """Raises ChildFailed when one has ended."""
        for child in self.children:
            if not child.running:
                raise ChildFailed(child.name, "has ended", child.log)

    def stop_at_once(self) -> None:
        """Ask all to stop at the same time and wait; what is still there then is killed."""
        deadline = time.monotonic() + STOP_S
        for child in reversed(self.children):
            child.ask_to_stop()
        for child in reversed(self.children):
            child.stop(max(0.0, deadline - time.monotonic()))

    def finish(self) -> int:
        """Stop in an order that lets everything stamped before this call be accounted for; returns the time of the call (ns).

        The witness stops before the archiver, so the archiver has been sent all that the witness has.
        Raises ChildFailed when one does not end as it should.
        """
        end_ns = time.time_ns()
        time.sleep(SETTLE_S)
        repeater, ioc, archiver, witness = self.children
        for child, patience in ((witness, STOP_S), (archiver, FINISH_S), (ioc, STOP_S)):
            if child.stop(patience) != 0:
                raise ChildFailed(child.name, "did not stop as it should", child.log)
        repeater.stop()
        return end_ns

    def _wait_for_channels(self, archiver: Child) -> None:
        """Wait until the archiver has all records; of an archive that was kept, in which channels may have been removed or added
        since, until no more connect.
        """
        pvs = ArchiverPvs(self.layout.variables())
        deadline = time.monotonic() + CONNECT_S
        connected: int | None = None
        since = time.monotonic()
        while connected != len(self.names):
            if not archiver.running:
                raise ChildFailed(archiver.name, "has ended", archiver.log)
            if time.monotonic() > deadline:
                raise DemoFailed(f"the archiver has {connected} of {len(self.names)} channels after {CONNECT_S:g} s, see {archiver.log}")
            time.sleep(0.1)
            before, connected = connected, pvs.number("Connected")
            if connected != before:
                since = time.monotonic()
            elif self._kept and connected and time.monotonic() - since > SETTLED_S:
                return


def run_demo(minutes: float | None, keep: bool, directory: Path) -> int:
    """Run the demo in `directory` and return the exit status of the command.

    minutes: stop by itself after so long, compare and write `summary.json`; status 0 when every update is accounted for. None: run
    until Ctrl-C or SIGTERM, status 0. keep: go on with the archive of the last demo. Status 1 for anything that failed, 130 when
    interrupted before `minutes` were over.
    """
    console = Console()
    directory = directory.resolve()
    try:
        with demo_lock(directory) as lock:
            if not keep:
                clear(directory)
            layout = new_layout(directory)
            records = ring_records()
            layout.write(records)
            return _run(_Running(layout, records, lock, keep), minutes, console)
    except ArchiocError as error:
        Console(stderr=True).print(f"archioc demo: {error}", markup=False, highlight=False, soft_wrap=True)
        return 1


def _run(running: _Running, minutes: float | None, console: Console) -> int:
    started_ns = time.time_ns()
    with _StopSignals() as signals:
        try:
            running.start()
            _show_how_to_use(running.layout, console)
            _let_run(running, minutes, console)
            console.print("the time is over, comparing what is stored with what the witness saw")
            end_ns = running.finish()
        except _Interrupted:
            console.print("stopping")
            return 0 if minutes is None else 130
        finally:
            signals.ignore()
            running.stop_at_once()
    summary = _compare(running, started_ns, end_ns)
    summary.write(running.layout.summary)
    summary.show(console)
    console.print(f"written to {running.layout.summary}", soft_wrap=True)
    return 0 if summary.passed else 1


class _StopSignals:
    """Within the block, the first signal to stop raises _Interrupted; further ones are ignored, so that stopping is not cut short."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._interrupt) for number in self._NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """From now on none of them does anything."""
        for number in self._NUMBERS:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, *_: object) -> None:
        self.ignore()
        raise _Interrupted


def _let_run(running: _Running, minutes: float | None, console: Console) -> None:
    pvs = ArchiverPvs(running.layout.variables())
    end = None if minutes is None else time.monotonic() + 60 * minutes
    with console.status("archiving") as status:
        while end is None or time.monotonic() < end:
            running.check()
            left_s = math.inf if end is None else max(0.0, end - time.monotonic())
            to_go = "" if end is None else f", {left_s:.0f} s to go"
            status.update(f"{pvs.number('Connected')} channels connected, {pvs.number('Stored')} samples stored{to_go}; Ctrl-C stops")
            time.sleep(min(1.0, left_s))


def _show_how_to_use(layout: DemoLayout, console: Console) -> None:
    bin_directory = Path(sys.executable).parent
    if bin_directory.is_relative_to(Path.cwd()):
        bin_directory = bin_directory.relative_to(Path.cwd())
    source = layout.environment
    if source.is_relative_to(Path.cwd()):
        source = source.relative_to(Path.cwd())
    lines = [
        f"source {source}",
        f"{bin_directory}/caproto-get {ARCHIVER_PREFIX}State",
        f"{bin_directory}/archioc get {PREFIX}DCCT:CURRENT --start -1min",
        f"{bin_directory}/caproto-put {ARCHIVER_PREFIX}CH:{PREFIX}BPM01:X:Rate 1",
        f"{bin_directory}/archioc status",
    ]
    console.print("The storage ring runs and is archived. Logs are in", str(layout.directory), soft_wrap=True)
    console.print("\nIn another shell, these (or `source` the file that has them)\n", soft_wrap=True)
    console.out(layout.export_lines(), highlight=False)
    console.print("and then for example\n")
    console.out("\n".join(lines) + "\n", highlight=False)


def _compare(running: _Running, started_ns: int, end_ns: int) -> Summary:
    config = running.layout.config
    stored = stored_samples(config, running.names, started_ns, time.time_ns())
    seen = {name: _until(end_ns, updates) for name, updates in updates_by_channel(running.layout.updates).items()}
    return summarize(running.records, seen, stored, archiver_counts(config))


def _until(end_ns: int, updates: list[Update]) -> list[Update]:
    return [update for update in updates if update.time_ns <= end_ns]
