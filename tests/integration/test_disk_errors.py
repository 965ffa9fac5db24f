"""A disk that fails, a store that is too small, a stop in the middle of a query: no process ends of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from archioc.core.errors import StoreError
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.table.process_counts import ProcessCounts, read_counts
from archioc.db.embedded.days import DAY_NS
from archioc.db.embedded.store import EmbeddedStore
from tests.archives.batches import T0, Point, make_batch, spool_file
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.records.counters import counter_database, counter_names

FAILING_FSYNC = Path(__file__).parents[1] / "processes" / "failing_fsync.c"


@pytest.fixture
def failing_fsync(tmp_path: Path) -> dict[str, str]:
    """Variables of a process whose fsync fails while the file `fail` is in the directory of the test."""
    compiler = shutil.which("cc") or missing_tool("cc", "install a C compiler")
    library = tmp_path / "failing_fsync.so"
    subprocess.run([str(compiler), "-shared", "-fPIC", "-o", str(library), str(FAILING_FSYNC)], check=True, timeout=60)
    return {"LD_PRELOAD": str(library), "FAIL": str(tmp_path / "fail")}


def test_fsync_fails(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    failing_fsync: dict[str, str],
    tmp_path: Path,
    prefix: str,
) -> None:
    """While fsync fails State is Degraded and no process ends; once it heals, what was collected meanwhile is stored."""
    names = counter_names(prefix, 2)
    made = archiver(names, [softioc(counter_database(names)).port], environment=failing_fsync)
    made.start(connected=2)
    made.wait_for_samples(names[0], 0)
    state = f"{made.prefix}State"
    client = ca_client([made.port])
    (tmp_path / "fail").touch()
    wait_until(lambda: client.get(state) == 2, 30, "State is Degraded")
    wait_until(lambda: "Input/output error" in made.overview().spool_error, 30, "the error is shown")
    (tmp_path / "fail").unlink()
    wait_until(lambda: client.get(state) == 1, 60, "State is Running again")
    assert read_counts(made.directories.run) == ProcessCounts()
    assert made.stop() == 0
    assert "Traceback" not in made.log.read_text()
    made.check_conservation()


def test_a_full_disk_is_shown(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """While every sample is dropped because the disk has no room, State is not Running, and says so, though the store is well."""
    names = counter_names(prefix, 2)
    made = archiver(names, [softioc(counter_database(names)).port], more={"spool": {"min_free": "900TB"}})
    made.start(connected=2)
    client = ca_client([made.port])
    wait_until(lambda: client.get(f"{made.prefix}State") == 2, 30, "State is Degraded")
    reason = f"{made.prefix}StateReason"
    wait_until(lambda: "because the spool was full" in client.get_text(reason), 10, "the reason is shown")
    assert made.overview().store_state == "ok"
    assert made.stop() == 0


def test_a_run_directory_that_cannot_be_written(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """Where the number of restarts cannot be written, a process that dies is started again all the same, and no other one ends."""
    names = counter_names(prefix, 1)
    made = archiver(names, [softioc(counter_database(names)).port])
    made.start(connected=1)
    (made.directories.run / "restarts.json.new").mkdir()
    engine = made.pid_of("engine")
    killed = made.kill_child("db")
    made.wait_for_successor("db", killed)
    assert made.pid_of("engine") == engine
    assert "restarts_not_written" in made.log.read_text()
    assert made.stop() == 0
    assert "Traceback" not in made.log.read_text()


def test_fsync_fails_in_the_store(tmp_path: Path, failing_fsync: dict[str, str]) -> None:
    """After an error of DuckDB that it calls fatal, the store is opened anew, and takes the batch."""
    program = f"""
from pathlib import Path
from archioc.core.errors import StoreUnavailable
from tests.integration.test_store_damage import opened, values, write
store = opened(Path({str(tmp_path / "state" / "store")!r}))
write(store, 1, ("A", {T0}, 1.0))
fail = Path({failing_fsync["FAIL"]!r})
fail.touch()
for _ in range(2):
    try:
        store.prepare()
        write(store, 2, ("A", {T0} + 1, 2.0))
    except StoreUnavailable as error:
        print("refused:", error)
fail.unlink()
store.prepare()
write(store, 2, ("A", {T0} + 1, 2.0))
assert values(store, "A") == [1.0, 2.0]
store.close()
"""
    run = ["env", "PYTHONPATH=.", *(f"{name}={value}" for name, value in failing_fsync.items()), sys.executable, "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused: ") == 2


@pytest.mark.parametrize("spare", [10_000_000, 60_000_000, 200_000_000, 400_000_000])
def test_too_little_memory(tmp_path: Path, spare: int) -> None:
    """Where DuckDB cannot be had, the store is unavailable, in one line, and the process goes on."""
    program = f"""
import resource
from pathlib import Path
import duckdb
from archioc.core.errors import StoreUnavailable
from archioc.db.embedded.store import EmbeddedStore
size = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (size + {spare}, size + {spare}))
try:
    EmbeddedStore(Path({str(tmp_path)!r})).prepare()
except StoreUnavailable as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line.startswith("refused: DuckDB cannot be started: it needs 512 MB")


def test_a_query_ends_when_the_store_is_closed(tmp_path: Path) -> None:
    """A query over many days does not hold up the end of the store: it fails with a line, and the files are closed."""
    store = EmbeddedStore(tmp_path / "store")
    store.prepare()
    encoder = ColumnEncoder("embedded")
    days = [Point("A", T0 + at * DAY_NS, 1.0) for at in range(60)]
    store.write(spool_file(encoder, make_batch(days)))
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            while True:
                store.bins("A", T0, T0 + 60 * DAY_NS, 100)
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    store.interrupt()
    asking.join(10)
    [error] = failed
    assert isinstance(error, StoreError), repr(error)
    store.close()
