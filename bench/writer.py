"""The db process with the bench in the place of the engine: batches are encoded and committed while it delivers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.machine.python_module import python_module
from archioc.core.spool.batch import Batch
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable
from archioc.demo.child import Child
from bench.synthetic_batches import spool_files

START_S = 30.0
DELIVER_S = 300.0
STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """seconds: from the first batch encoded to the last one stored; writer_cpu_s: of the db process in that time."""

    seconds: float
    writer_cpu_s: float


def deliver(directory: Path, store: dict[str, object], made: Sequence[Batch], channels: int) -> Delivered:
    """Encode, commit and deliver these batches."""
    path = Path(tempfile.mkdtemp(prefix="writer-", dir=directory)) / "config.yml"
    path.write_text(yaml.safe_dump({"archiver": {"state_dir": "state", "run_dir": "run"}, "store": store}))
    config = load_config(path)
    directories = Directories(config.archiver.state_dir)
    directories.run.mkdir(parents=True, exist_ok=True)
    spool = SpoolDirectory(directories.spool)
    spool.create()
    table = ChannelTable(directories.run)
    table.create(channels)
    child = Child("db", python_module("archioc.db", str(path)), path.with_name("db.log"))
    try:
        child.wait_for_output("db_started", START_S)
        process = psutil.Process(child.pid)
        cpu, started = _cpu_s(process), time.perf_counter()
        for file in spool_files(iter(made), encoder_for(config.store)):
            spool.publish(spool.prepare(file))
        _wait_until_stored(table, sum(len(batch.samples) for batch in made), child)
        return Delivered(time.perf_counter() - started, _cpu_s(process) - cpu)
    finally:
        child.stop(STOP_S)
        table.close()


def _cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def _wait_until_stored(table: ChannelTable, samples: int, child: Child) -> None:
    deadline = time.monotonic() + DELIVER_S
    while int(table.delivery.head["stored"][0]) < samples:
        if not child.running or time.monotonic() > deadline:
            raise SystemExit(f"the db process does not deliver:\n{child.output()[-3000:]}")
        time.sleep(0.005)
