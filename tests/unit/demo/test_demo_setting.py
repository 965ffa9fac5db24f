from __future__ import annotations

import math
import os
import shlex
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from archioc.demo.errors import DemoRunning
from archioc.demo.layout import DemoLayout, clear
from archioc.demo.lock import demo_lock
from archioc.demo.ports import free_ports
from archioc.demo.records import RING_DB, ring_records
from archioc.demo.updates import Update, Value, read_updates


def test_the_ring_has_every_common_type() -> None:
    """The database has about 60 records to archive, of all types that a demo should show, with unique names."""
    records = ring_records()
    text = RING_DB.read_text()
    assert len(records) == text.count("\nrecord(") - text.count('info(demo, "internal")')
    assert 55 <= len(records) <= 70
    assert max(Counter(record.name for record in records).values()) == 1
    types = {"ai", "ao", "bi", "bo", "mbbi", "mbbo", "longin", "longout", "stringin", "calc", "waveform", "lsi"}
    assert types <= {record.record_type for record in records}
    lines = {line.strip() for line in RING_DB.read_text().splitlines()}
    assert {f'field(FTVL, "{kind}")' for kind in ("DOUBLE", "CHAR", "STRING")} <= lines


def test_records_without_a_scan_are_static_or_driven_by_another() -> None:
    """The records called static are those that nothing processes after the start."""
    driven = {"SR:DCCT:CURRENT:RB", "SR:ORBIT:X"}
    bodies = [body for body in RING_DB.read_text().split("\nrecord(")[1:] if 'info(demo, "internal")' not in body]
    unscanned = {record.name for record, body in zip(ring_records(), bodies, strict=True) if "field(SCAN" not in body}
    assert {record.name for record in ring_records() if record.static} == unscanned - driven


def test_ports_are_free_and_differ() -> None:
    """Every port can be bound for TCP and UDP, and no port is given twice."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as one:
                one.bind(("127.0.0.1", port))


def test_a_second_demo_is_refused(tmp_path: Path) -> None:
    """While one demo holds its directory another is refused and the process named; afterwards it is free."""
    with demo_lock(tmp_path / "demo"), pytest.raises(DemoRunning, match=f"processes {os.getpid()}"), demo_lock(tmp_path / "demo"):
        pass
    with demo_lock(tmp_path / "demo"):
        pass


def test_an_archiver_left_over_holds_the_lock(tmp_path: Path) -> None:
    """A process that inherited the descriptor keeps a new demo out after the one that started it has gone."""
    with demo_lock(tmp_path) as lock:
        left_over = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
        lock.name_holder(left_over.pid)
    with pytest.raises(DemoRunning, match=f"{os.getpid()}, {left_over.pid}"), demo_lock(tmp_path):
        pass
    left_over.communicate(timeout=10)
    with demo_lock(tmp_path):
        pass


def test_files_of_the_layout(tmp_path: Path) -> None:
    """A shell that sources `env` has both CA servers and the configuration, which archives every record on loopback."""
    directory = tmp_path / "with blank"
    directory.mkdir()
    layout = DemoLayout(directory, 1111, 2222, 3333)
    layout.write(ring_records())
    script = f"source {shlex.quote(str(layout.environment))}; echo $EPICS_CA_ADDR_LIST,$EPICS_CA_AUTO_ADDR_LIST,$ARCHIOC_CONFIG"
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=10).stdout
    assert shown == f"127.0.0.1:1111 127.0.0.1:2222,NO,{layout.config}\n"
    config = yaml.safe_load(layout.config.read_text())
    assert (config["ioc"]["interfaces"], config["ioc"]["port"]) == (["127.0.0.1"], 2222)
    assert config["ca"]["addr_list"] == ["127.0.0.1:1111"]
    assert config["channels"] == [record.name for record in ring_records()]


def test_clear_leaves_the_lock(tmp_path: Path) -> None:
    """A fresh demo has nothing of the last one, but the lock stays."""
    (tmp_path / "state/deep").mkdir(parents=True)
    (tmp_path / "config.yml").touch()
    (tmp_path / "lock").touch()
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_updates_survive_their_file(tmp_path: Path) -> None:
    """Every kind of value is read back exactly; a line that is not complete yet is left out."""
    values: list[Value] = [0.1, math.inf, -7, 'quote " and \n', [1.5, -0.0], ["a", ""]]
    updates = [Update("A", "DBR_TIME_DOUBLE", 1_700_000_000_123_456_789, value, 2, 7, 5) for value in values]
    path = tmp_path / "updates.jsonl"
    path.write_text("".join(update.to_line() for update in updates) + '{"channel": "A", "va')
    assert list(read_updates(path)) == updates
