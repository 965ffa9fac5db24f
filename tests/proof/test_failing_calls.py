"""A disk that fails once: the n-th write, fsync, rename, open or unlink of an archiver's run, whichever process makes it."""

from __future__ import annotations

import errno
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from archioc.core.directories import Directories
from archioc.core.table.process_counts import ProcessCounts, read_counts
from tests.conftest import ArchiverFactory, CaWatchFactory, SoftIocFactory
from tests.hostile.damaging import check_history, has_new
from tests.processes.ca_watch import CaWatch
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database, counter_names

FAILING_CALL = Path(__file__).parents[1] / "processes" / "failing_call.c"
CALLS = ("write", "fsync", "rename", "open", "unlink")
ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
COUNTERS = 2

WORK_NS = 3_000_000_000
"""How long each run goes on."""

FIRST_OF = {"write": 300, "fsync": 50, "rename": 30, "open": 200, "unlink": 20}
"""About so many calls are in a run."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes a call fail."""
    compiler = shutil.which("cc") or missing_tool("cc", "install a C compiler")
    made = tmp_path_factory.mktemp("library") / "failing_call.so"
    subprocess.run([str(compiler), "-shared", "-fPIC", "-o", str(made), str(FAILING_CALL), "-ldl"], check=True, timeout=60)
    return made


@dataclass(frozen=True, slots=True)
class Failure:
    """nth: 0 for none, where calls are only counted."""

    call: str
    nth: int
    error: int

    def environment(self, library: Path, below: Path) -> dict[str, str]:
        """Variables of a process whose files below a directory are meant."""
        (below / "calls").write_bytes(bytes(8))
        return {
            "LD_PRELOAD": str(library),
            "FAIL_CALL": self.call,
            "FAIL_NTH": str(self.nth),
            "FAIL_ERRNO": str(self.error),
            "FAIL_COUNT": str(below / "calls"),
            "FAIL_BELOW": str(below / "site"),
        }


@dataclass(frozen=True, slots=True)
class Site:
    """Records that count, a client that sees them, and archivers of them, one after the other, each in a directory of its own."""

    make: ArchiverFactory
    names: Sequence[str]
    port: int
    watch: CaWatch
    library: Path
    directory: Path

    def run(self, number: int, failure: Failure) -> tuple[str, int]:
        """An archiver for some seconds; what came of it, and how many calls there were. Raises AssertionError, TimeoutError."""
        below = self.directory / f"case{number}"
        (below / "site").mkdir(parents=True)
        places = {"archiver": {"state_dir": str(below / "site" / "state"), "run_dir": str(below / "site" / "run")}}
        made = self.make(list(self.names), [self.port], more=places, environment=failure.environment(self.library, below))
        made.directories = Directories(below / "site" / "state")
        made.start(connected=len(self.names))
        connected_ns = time.time_ns()
        wait_until(lambda: has_new(made, self.names, connected_ns + WORK_NS), 30, "collecting goes on", 0.2)
        restarts = read_counts(made.directories.run)
        code, log = made.stop(), made.log.read_text()
        calls = int.from_bytes((below / "calls").read_bytes(), "little")
        (below / "calls").write_bytes((2**40).to_bytes(8, "little"))  # no command of the test fails
        assert "Traceback" not in log, log[-3000:]
        assert code == 0, log[-3000:]
        histories = made.get_all()
        for name in self.names:
            check_history(name, [one for one in self.watch.updates_of(name) if one.time_ns > connected_ns], histories[name])
        shutil.rmtree(below / "site")
        return "a process was started again" if restarts != ProcessCounts() else "all processes go on", calls


def test_each_call_may_fail(
    archiver: ArchiverFactory, softioc: SoftIocFactory, ca_watch: CaWatchFactory, library: Path, tmp_path: Path, prefix: str
) -> None:
    """Whichever call fails, once: no wrong value, no silent gap, no traceback, and collecting goes on; calls are sampled over the run."""
    chance = random.Random(seed := time.time_ns())
    print(f"seed {seed}")
    names = counter_names(prefix, COUNTERS)
    port = softioc(counter_database(names)).port
    site = Site(archiver, names, port, ca_watch(names, [port]), library, tmp_path)
    outcomes: Counter[str] = Counter()
    failures: dict[Failure, str] = {}
    calls: dict[str, int] = {}
    for number in range(counts().failing_calls):
        call = CALLS[(number + seed) % len(CALLS)]
        # The first of a kind is far in the run, and counts how many there are.
        failure = Failure(call, chance.randint(1, calls.get(call, FIRST_OF[call])), chance.choice(ERRORS))
        try:
            outcome, calls[call] = site.run(number, failure)
            outcomes[outcome] += 1
        except (AssertionError, TimeoutError) as error:
            failures[failure] = str(error)
            print(f"{failure}: {error}", flush=True)
    print(f"{counts().failing_calls} cases: {dict(outcomes)}, calls of a run: {calls}")
    assert not failures, "\n\n".join(f"{failure}: {text}" for failure, text in failures.items())
