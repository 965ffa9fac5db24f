"""What a store has refused, and what `archioc quarantine` does with it: delivery in this process, the store a double."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

from archioc.cli.main import app
from archioc.core.config.file import load_config
from archioc.core.directories import Directories, lock_state_dir
from archioc.core.errors import QuarantineError, StoreUnavailable
from archioc.core.process import StopSignal
from archioc.core.spool.encoding.compression import compress, decompress
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.ledger import Ledger
from archioc.core.spool.spool import SpoolDirectory, SpoolFile
from archioc.core.table.table import ChannelTable
from archioc.db.delivery import quarantine as quarantine_module
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.open_store import open_store
from archioc.db.store import Store
from tests.archives.batches import Point, make_batch, spool_file
from tests.processes.influx_double import Answer, InfluxDouble

REFUSED = {b"value=8.0": b'value="eight"', b"value=17.0": b'value="a\nb"'}


@dataclass
class Site:
    """An archiver without its processes."""

    config: Path
    server: InfluxDouble
    spool: SpoolDirectory
    table: ChannelTable
    store: Store
    batches: int = 0

    def __post_init__(self) -> None:
        self.quarantine = Quarantine(self.spool.root)
        self.delivery = self.another()

    def another(self) -> Delivery:
        """The delivery of a process that takes up."""
        return Delivery(self.spool, self.store, DeliveryCounters(self.table.delivery), StoreStatus(self.table.delivery))

    def commit(self) -> int:
        """A batch of 20 samples of two channels, of which the store refuses one each; its number."""
        self.batches += 1
        points = [Point(f"PV{at % 2}", time.time_ns() + at, float(at)) for at in range(20)]
        made = spool_file(LineEncoder(self.store.destination), make_batch(points))
        body = decompress(made.payload)
        for text, other in REFUSED.items():
            body = body.replace(text, other)
        file = SpoolFile(self.batches, time.time_ns(), made.destination, made.counts, compress(body))
        self.spool.publish(self.spool.prepare(file))
        return self.batches

    def deliver(self) -> None:
        while self.delivery.step():
            pass

    def counts(self) -> tuple[int, int]:
        """Samples stored and rejected: in all, and the same summed over the channels."""
        head, cells = self.table.delivery.head, self.table.delivery.cells
        in_all = int(head["stored"][0]), int(head["rejected"][0])
        assert in_all == (int(cells["stored"].sum()), int(cells["rejected"].sum()))
        return in_all

    def cli(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["quarantine", *words, "--config", str(self.config)])

    @contextmanager
    def running(self) -> Iterator[None]:
        """An archiver that runs on this state directory."""
        stop = StopSignal()
        worker = threading.Thread(target=self.delivery.run, args=(stop,))
        with lock_state_dir(Directories(self.spool.root.parent)):
            worker.start()
            yield
            stop.set()
            worker.join(10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = InfluxDouble("v2.7.1")
    config = tmp_path / "archioc.yml"
    block = f"{{influxdb: {{url: '{server.url}', org: lab, bucket: epics}}}}"
    config.write_text(f"archiver: {{state_dir: ./state}}\nstore: {block}\nchannels: [A]\n")
    loaded = load_config(config)
    directories = Directories(loaded.archiver.state_dir)
    directories.state.mkdir()
    spool = SpoolDirectory(directories.spool)
    spool.create()
    table = ChannelTable(tmp_path)
    table.create(10)
    store = open_store(loaded.store)
    yield Site(config, server, spool, table, store)
    store.close()
    table.close()
    server.stop()


def test_an_entry_holds_what_was_refused(site: Site) -> None:
    """An entry has the refused lines exactly as they were sent, the server's words, and how many samples of which channel they are."""
    site.commit()
    site.deliver()
    assert site.counts() == (18, 2)
    entry = site.quarantine.read(site.quarantine.find(1))
    assert [line.split(b" ")[1] for line in entry.lines()] == [b'value="eight"', b'value="a\nb"']
    assert "422 failure writing points to database: partial write: field type conflict" in entry.refusals[0].message
    assert (entry.channels(), entry.samples, entry.counts["samples"].tolist()) == (["PV0", "PV1"], 2, [1, 1])
    assert len(site.quarantine.entries()) == 1


def test_list_show_and_export(site: Site) -> None:
    """`list` tells the batches and why, also as JSON; `show` tells all of one; `export` writes its line protocol byte for byte."""
    assert "nothing is in the quarantine" in site.cli("list").stdout
    site.commit()
    site.deliver()
    listed = site.cli("list")
    assert (listed.exit_code, "PV0 PV1" in listed.stdout, "field type conflict" in listed.stdout) == (0, True, True)
    (document,) = orjson.loads(site.cli("list", "--format", "json").stdout)
    assert (document["batch"], document["samples"], document["channels"], document["retry"]) == (1, 2, ["PV0", "PV1"], False)
    shown = site.cli("show", "1").stdout
    assert 'value="eight"' in shown
    assert shown.count("# http") == 2
    exported = site.cli("export").stdout_bytes
    assert exported == b"".join(line + b"\n" for line in site.quarantine.read(site.quarantine.find(1)).lines())
    assert site.cli("export", "1").stdout_bytes == exported


@pytest.mark.parametrize("command", ["show", "retry", "export"])
def test_a_batch_that_is_not_there(site: Site, command: str) -> None:
    """A number without an entry is told in one line."""
    with pytest.raises(QuarantineError, match="7: no such batch"):
        raise site.cli(command, "7").exception or AssertionError


def test_retry_needs_to_know_what(site: Site) -> None:
    """`retry` without batches and without --all is wrong usage; both together as well."""
    assert site.cli("retry").exit_code == 2
    assert site.cli("retry", "1", "--all").exit_code == 2


def test_retry_while_the_archiver_runs(site: Site) -> None:
    """What the store takes now moves from rejected to stored and leaves the quarantine; what it refuses again stays, and the code is 1."""
    for _ in range(2):
        site.commit()
    site.deliver()
    assert site.counts() == (36, 4)
    with site.running():
        again = site.cli("retry", "1")
        assert (again.exit_code, "1: 2 samples were refused again" in again.stdout, site.counts()) == (1, True, (36, 4))
        site.server.forgiving = True
        done = site.cli("retry", "--all")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "2 batches stored")
    assert site.counts() == (40, 0)
    assert (site.quarantine.entries(), site.quarantine.waiting()) == ([], [])
    assert sum(b"value=" in line for line in site.server.lines) == 40


def test_retry_while_the_archiver_is_stopped(site: Site) -> None:
    """The entry waits in its place, which list shows, and is sent when the archiver runs."""
    site.commit()
    site.deliver()
    site.server.forgiving = True
    done = site.cli("retry", "1")
    assert (done.exit_code, done.stdout) == (0, "1 batch will be sent when the archiver is started\n")
    assert "(to be sent again)" in site.cli("list").stdout
    assert site.cli("retry", "1").exit_code == 0
    assert (site.counts(), len(site.quarantine.waiting())) == ((18, 2), 1)
    site.delivery = site.another()
    site.deliver()
    assert (site.counts(), site.quarantine.waiting()) == ((20, 0), [])


def test_retry_of_what_was_made_for_another_store(site: Site) -> None:
    """An entry for another store is never sent to this one: the command refuses, and the db process puts it back."""
    site.commit()
    site.deliver()
    path = site.quarantine.find(1)
    path.write_bytes(path.read_bytes().replace(b'"influxdb:', b'"influxdb:http://other/'))
    with pytest.raises(QuarantineError, match="1: was made for influxdb:http://other/"):
        raise site.cli("retry", "1").exception or AssertionError
    site.quarantine.want_retry(path)
    site.deliver()
    assert (site.quarantine.entries(), site.quarantine.waiting(), site.counts()) == ([path], [], (18, 2))


def test_a_damaged_entry(site: Site) -> None:
    """An entry that somebody has spoilt is told and stops nothing."""
    site.commit()
    site.deliver()
    site.quarantine.want_retry(site.quarantine.find(1)).write_text("{}")
    site.commit()
    site.deliver()
    assert site.counts() == (36, 4)
    with pytest.raises(QuarantineError, match="is no entry of a quarantine"):
        raise site.cli("show", "1").exception or AssertionError


def test_a_store_that_is_away(site: Site) -> None:
    """While the store is away the entry waits, and is sent when it is back."""
    site.commit()
    site.deliver()
    site.quarantine.want_retry(site.quarantine.find(1))
    site.server.scripted = [Answer(503)]
    with pytest.raises(StoreUnavailable):
        site.deliver()
    site.server.forgiving = True
    site.deliver()
    assert site.counts() == (20, 0)


def test_counters_that_began_anew(site: Site) -> None:
    """After a reboot, when the counters do not know the refused samples any more, a retry moves nothing below zero."""
    site.commit()
    site.deliver()
    for name in ("stored", "rejected"):
        site.table.delivery.cells[name] = 0
        site.table.delivery.head[name] = 0
    site.table.delivery.cells["rejected"][0] = site.table.delivery.head["rejected"] = 1
    site.quarantine.want_retry(site.quarantine.find(1))
    site.server.forgiving = True
    site.deliver()
    assert site.counts() == (1, 0)


class Killed(BaseException):
    """The process ends here."""


ACTS: list[tuple[type, str]] = [(Ledger, "announce"), (Ledger, "apply"), (Path, "unlink")]


@pytest.mark.parametrize("new_batch", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "act"), ACTS, ids=[act for _, act in ACTS])
def test_a_kill_during_a_retry(site: Site, monkeypatch: pytest.MonkeyPatch, owner: type, act: str, when: str, new_batch: bool) -> None:
    """Killed before or after any act, with or without a new batch in between, what is sent again is counted once."""
    site.commit()
    site.deliver()
    site.quarantine.want_retry(site.quarantine.find(1))
    site.server.forgiving = True
    original: Callable[..., object] = getattr(owner, act)

    def kill(self: object, *arguments: object, **options: object) -> object:
        if when == "before":
            raise Killed
        original(self, *arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, act, kill)
        with pytest.raises(Killed):
            site.deliver()
    if new_batch:
        site.commit()
    site.delivery = site.another()
    site.deliver()
    assert site.counts() == ((40, 0) if new_batch else (20, 0))
    assert site.quarantine.waiting() == []


def test_the_quarantine_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its limit the oldest entries go, the newest never."""
    monkeypatch.setattr(quarantine_module, "MAX_BYTES", 1)
    for _ in range(3):
        site.commit()
    site.deliver()
    assert [site.quarantine.read(path).batch_id for path in site.quarantine.entries()] == [3]
    assert site.counts() == (54, 6)
    assert np.all(site.table.delivery.cells["rejected"][:2] == 3)
