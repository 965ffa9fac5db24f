"""The http process: started, watched and stopped by `archioc run`, or alone by `archioc serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml

from archioc import __version__
from archioc.core.table.process_counts import read_counts
from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.archiver import StoreBlock
from tests.processes.http_client import HttpClient, http_of
from tests.processes.influxd import InfluxDatabase
from tests.processes.waiting import PATIENCE_S, wait_until

HTTP = {"http": {"enabled": True, "port": 0}}


def test_http_process(store: StoreBlock, archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """With either store the http process tells names at once, comes back when it is killed, and stops with the archiver."""
    ioc = softioc(f'record(ao, "{prefix}A") {{ field(VAL, "1.5") field(PINI, "YES") }} record(ao, "{prefix}B") {{}}')
    made = archiver([f"{prefix}A", f"{prefix}B"], [ioc.port], store, more=HTTP)
    made.start(connected=2)
    client = http_of(made.directories)
    assert client.get("/retrieval/bpl/getVersion").json() == {"version": f"Archiver Appliance Version ArchIOC {__version__}"}
    assert client.get("/retrieval/bpl/getMatchingPVs", pv=f"{prefix}*").json() == [f"{prefix}A", f"{prefix}B"]
    assert client.get("/retrieval/bpl/getMatchingPVs", regex=f"{prefix}[B-Z]").json() == [f"{prefix}B"]
    assert client.get("/retrieval/bpl/getMatchingPVs", pv="*", limit="1").json() == [f"{prefix}A"]
    assert client.get("/retrieval/bpl/searchForPVsRegex", regex=f"{prefix}.").text == f"{prefix}A\n{prefix}B\n"
    assert client.get("/retrieval/bpl/getMatchingPVs").status == 404
    wrong = client.get("/retrieval/bpl/getMatchingPVs", regex="(")
    assert (wrong.status, wrong.text.startswith("regex (: "), wrong.text.count("\n")) == (400, True, 1)
    assert client.get("/openapi.json").json()["info"]["title"] == "ArchIOC"
    killed = made.kill_child("retrieval")
    assert http_of(made.directories, other_than=killed).get("/retrieval/bpl/ping").text == "pong"
    assert made.stop() == 0
    assert "process_killed" not in made.log.read_text()


def test_a_silent_process_is_started_again(archiver: ArchiverFactory) -> None:
    """A http process that lives and does nothing is killed and started again, is counted as restarted, and the log says why."""
    made = archiver([], [], more=HTTP, impatient=True)
    made.start()
    http_of(made.directories)
    silent = made.suspend_child("retrieval")
    client = http_of(made.directories, other_than=silent.pid)
    assert client.get("/healthz").status == 200
    assert read_counts(made.directories.run).http == 1
    told = [line for line in made.log.read_text().splitlines() if "process_silent" in line]
    assert len(told) == 1
    assert f'"pid": {silent.pid}' in told[0]


def test_all_processes_may_sleep(archiver: ArchiverFactory) -> None:
    """Where the supervisor was stopped like the http process, for longer than a silence may last, nothing is killed after it."""
    made = archiver([], [], more=HTTP, impatient=True)
    made.start()
    http_of(made.directories)
    with made.unattended():
        asleep = made.suspend_child("retrieval")
        time.sleep(6)
    asleep.resume()
    time.sleep(1.5)
    assert http_of(made.directories).get("/healthz").status == 200
    assert read_counts(made.directories.run).http == 0
    assert "process_silent" not in made.log.read_text()


def test_serve_alone(influx_database: InfluxDatabase, tmp_path: Path) -> None:
    """`archioc serve` serves what is in an InfluxDB where no archiver runs, and ends with SIGTERM."""
    write = f"{influx_database.url}/write?db={influx_database.name}"
    urllib.request.urlopen(write, b"sample,pv=GONE value=1.5 1700000000000000000").close()
    config = tmp_path / "config.yml"
    store = {"influxdb": {"url": influx_database.url, "bucket": influx_database.name}}
    config.write_text(yaml.safe_dump({"store": store, "http": {"port": 0}, "archiver": {"state_dir": "./nowhere"}}))
    log = tmp_path / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "archioc", "serve", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    try:
        wait_until(lambda: "http_listens" in log.read_text(), PATIENCE_S, "it listens")
        url = next(line for line in log.read_text().splitlines() if "http_listens" in line).split('"url": "')[1].split('"')[0]
        client = HttpClient(url)
        wait_until(lambda: client.get("/retrieval/bpl/getMatchingPVs", pv="*").json() == ["GONE"], PATIENCE_S, "the name is there")
    finally:
        os.kill(process.pid, signal.SIGTERM)
        status = process.wait(PATIENCE_S)
    assert status == 0, log.read_text()


def test_serve_alone_has_no_embedded_store(tmp_path: Path) -> None:
    """`archioc serve` with an embedded store says why it cannot, and ends with code 2."""
    config = tmp_path / "config.yml"
    config.write_text("http: {port: 0}\n")
    command = [sys.executable, "-m", "archioc", "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"archioc: {config}: store: `archioc serve` reads an InfluxDB; an embedded store is served by `archioc run`\n"
