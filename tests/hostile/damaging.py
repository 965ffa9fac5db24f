"""A machine that damages: each file of an archiver that was killed, in each way, and what the next start makes of it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from archioc.core.config.file import load_config
from archioc.core.errors import ArchiocError
from archioc.demo.updates import Update
from archioc.open_archive import open_reader
from tests.processes.archiver import FAR_NS, Archiver, suspend
from tests.processes.archiver_answers import Event, History
from tests.processes.waiting import wait_until
from tests.records.counters import Counting, missing, within

GOES_ON_S = 20.0
"""A start that has not stored a sample of each channel by then has refused."""

SPOILED_S = 3.0
"""How old the older copies are, and how long the store stands still before the end, so that batches wait."""

LOSSES = ("lost_overflow", "lost_spool_full", "lost_quota", "rejected")

_KEPT = ("lock", "query.sock")
"""Files that are nothing when nobody runs."""


@dataclass(frozen=True, slots=True)
class Case:
    """file: below the state or run directory, `state/...` or `run/...`."""

    file: str
    damage: str


def _cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(max(path.stat().st_size, 1)))


def _flip(path: Path, chance: random.Random) -> None:
    size = path.stat().st_size
    if not size:
        return
    with path.open("r+b") as file:
        file.seek(at := chance.randrange(size))
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << chance.randrange(8))]))


def _replace_by_directory(path: Path, _: random.Random) -> None:
    """What root meets in place of a file that it may not open."""
    path.unlink()
    path.mkdir()


DAMAGES: Mapping[str, Callable[[Path, random.Random], object]] = {
    "empty": lambda path, _: os.truncate(path, 0),
    "cut": _cut,
    "random": lambda path, chance: path.write_bytes(chance.randbytes(path.stat().st_size)),
    "bit": _flip,
    "missing": lambda path, _: path.unlink(),
    "forbidden": lambda path, chance: path.chmod(0) if os.geteuid() else _replace_by_directory(path, chance),
}
OLDER = "older"


class DamagedSite:
    """A site that was killed while batches were waiting, kept as a template, from which each case starts anew.

    The records count on over all cases, and an independent client keeps every update.
    """

    def __init__(self, counting: Counting, kept: Path) -> None:
        self.archiver, self._watch, self.names = counting.archiver, counting.watch, counting.names
        self._places = {"state": self.archiver.directories.state, "run": self.archiver.directories.run.resolve()}
        self._template, self._older = kept / "template", kept / "older"
        self._keep(self._older)
        time.sleep(SPOILED_S)
        self.archiver.suspend_child("db")
        self.archiver.wait_for_spool(2)
        kill_all(self.archiver)
        self._keep(self._template)

    def cases(self) -> list[Case]:
        """Every file in every way."""
        files = [
            f"{part}/{path.relative_to(self._template / part)}" for part in self._places for path in self._files(self._template / part)
        ]
        ways = [Case(file, damage) for file in files for damage in DAMAGES]
        return ways + [Case(file, OLDER) for file in files if (self._older / file).is_file()]

    def outcome(self, case: Case, chance: random.Random) -> str:
        """Start with this damage, stop, and compare with what the client saw; what came of it. Raises AssertionError."""
        archiver = self.archiver
        self._restore()
        path = self._places[case.file.partition("/")[0]] / case.file.partition("/")[2]
        if case.damage == OLDER:
            shutil.copy2(self._older / case.file, path)
        else:
            DAMAGES[case.damage](path, chance)
        archiver.log.write_bytes(b"")
        begun_ns = time.time_ns()
        archiver.launch()
        goes_on = self._goes_on(begun_ns)
        code = archiver.stop()
        log = archiver.log.read_text()
        assert "Traceback" not in log, log[-3000:]
        if not goes_on:
            assert path.name.removesuffix("-wal").removesuffix("-shm") in log, f"refused without a word about {path.name}: {log[-3000:]}"
            return "refused"
        assert code == 0, log[-3000:]
        if case.damage == "missing" and "/spool/new/" in f"/{case.file}":  # nobody knows what was in it, but that it is not there
            assert not archiver.status().total.balanced, "the counters show nothing of a batch that is gone"
            return "the counters show it"
        histories = archiver.get_all()
        told = False
        for name in self.names:
            told = check_history(name, self._watch.updates_of(name), histories[name]) or told
        return "losses are reported" if told else "nothing is lost"

    def _goes_on(self, begun_ns: int) -> bool:
        """Whether each channel has a new sample in the store in time."""
        since_ns = begun_ns
        with contextlib.suppress(TimeoutError):
            wait_until(
                lambda: not self.archiver.running or has_new(self.archiver, self.names, since_ns), GOES_ON_S, "new samples are stored", 0.2
            )
        return self.archiver.running and has_new(self.archiver, self.names, since_ns)

    def _files(self, place: Path) -> Iterator[Path]:
        return (path for path in sorted(place.rglob("*")) if path.is_file() and path.name not in _KEPT and not path.is_symlink())

    def _keep(self, target: Path) -> None:
        for part, place in self._places.items():
            shutil.copytree(place, target / part, symlinks=True, ignore=_without_sockets)

    def _restore(self) -> None:
        for part, place in self._places.items():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(self._template / part, place, symlinks=True)


def _without_sockets(directory: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if (Path(directory) / name).is_socket()]


def has_new(archiver: Archiver, names: Sequence[str], since_ns: int) -> bool:
    """Whether the store answers, and has a sample of each channel since a time (ns)."""
    try:
        reader = open_reader(load_config(archiver.config))
        try:
            return all(any(map(len, reader.samples(name, since_ns, FAR_NS, with_previous=False))) for name in names)
        finally:
            reader.close()
    except ArchiocError:
        return False


def kill_all(archiver: Archiver) -> None:
    """Kill -9 of all its processes at once."""
    supervisor = psutil.Process(archiver.pid)
    suspend(supervisor)  # it must not start another
    for process in supervisor.children():
        process.kill()
    supervisor.kill()
    wait_until(lambda: not archiver.running, 30, "the archiver has ended")


def check_history(name: str, seen: Sequence[Update], history: History) -> bool:
    """Each stored value is one that the client saw; each update of before the last sample is stored, or explained by an event.

    Whether something is not stored that had been received before the damage or after it.
    """
    first_ns = seen[0].time_ns
    known = {(update.time_ns, update.value) for update in seen}
    received = {update.value for update in seen}
    for sample in history.true:
        if sample.time_ns < first_ns or sample.time_ns > seen[-1].time_ns:
            continue
        right = sample.value in received if sample.src_time_ns else (sample.time_ns, sample.value) in known
        assert right, f"{name}: {sample} was never sent"
    times = [sample.time_ns for sample in history.samples]
    assert len(set(times)) == len(times), f"{name}: times that are stored twice"
    lost = missing(seen, history, max(times))
    silent = [update for update in lost if not any(explains(event, update) for event in history.events)]
    assert not silent, f"{name}: {len(silent)} of {len(lost)} updates that are not stored have no event: {silent[0]}, {history.events}"
    return any(event.reason == "store_damaged" or event.reason in LOSSES for event in history.events)


def explains(event: Event, update: Update) -> bool:
    """Whether an event says why an update is not there: a gap around it, or a loss that is reported after it."""
    if event.reason in LOSSES:
        return bool(event.count) and event.time_ns >= update.time_ns
    return event.end_ns is not None and within(update, event)
