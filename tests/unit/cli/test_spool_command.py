from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.errors import SpoolError, SpoolFileDamaged
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.spool.delivered import DeliveredBatches, Keeping
from archioc.core.spool.encoding import Encoder
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.resend_request import ResendRequest
from archioc.core.spool.spool import SpoolDirectory
from tests.archives.batches import T0, Point, make_batch, spool_file

POINTS = [Point("A", T0, 1.5), Point("A", T0 + 1, 2.0, severity=2, status=3), Point("B", T0, blob=b"on air", kind=Kind.TEXT)]


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    (tmp_path / "archioc.yml").write_text("archiver: {state_dir: ./state}\n")
    directory = SpoolDirectory(tmp_path / "state/spool")
    directory.create()
    return directory


def run(spool: SpoolDirectory, *arguments: str) -> str:
    """What `archioc spool` writes."""
    config = str(spool.root.parents[1] / "archioc.yml")
    done = CliRunner().invoke(app, ["spool", *arguments, "--config", config])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def commit(spool: SpoolDirectory, encoder: Encoder, batch_id: int) -> None:
    event = ChannelEvent("B", T0, Reason.LOST_SPOOL_FULL, count=7)
    meta = ChannelMeta("A", T0, 6, 1, "ioc:5064", units="mA")
    spool.publish(spool.prepare(spool_file(encoder, make_batch(POINTS, [event], [meta]), batch_id)))


def test_batches_are_listed_with_their_state(spool: SpoolDirectory) -> None:
    """Each batch is listed once, oldest first, with where it is, how many samples it has and how large it is."""
    for batch_id in (3, 1, 2):
        commit(spool, ColumnEncoder("embedded"), batch_id)
    first, second, _ = spool.waiting()
    spool.claim(first)
    assert spool.withdraw(second) is not None
    listed = json.loads(run(spool, "ls", "--format", "json"))
    assert [(one["batch"], one["state"], one["samples"]) for one in listed] == [(1, "sending", 3), (2, "dropping", 3), (3, "waiting", 3)]
    assert all(one["bytes"] > 100 and one["written_ns"] > T0 // 10 for one in listed)
    assert [line.split()[:2] for line in run(spool, "ls").splitlines()[1:]] == [["1", "sending"], ["2", "dropping"], ["3", "waiting"]]


def test_a_batch_for_influxdb_is_its_line_protocol(spool: SpoolDirectory) -> None:
    """The header comes as comments, then the lines as they will be posted."""
    encoder = LineEncoder("influxdb:http://host/db")
    commit(spool, encoder, 4)
    shown = run(spool, "cat", "4")
    assert shown.startswith("# batch 4\n# committed 2026-")
    assert "# destination influxdb:http://host/db\n# samples 3\n# channels 2\n# losses 0\n" in shown
    event = ChannelEvent("B", T0, Reason.LOST_SPOOL_FULL, count=7)
    meta = ChannelMeta("A", T0, 6, 1, "ioc:5064", units="mA")
    assert shown.endswith("# losses 0\n" + encoder.lines(make_batch(POINTS, [event], [meta])).decode())


def test_a_batch_for_the_embedded_store_is_text(spool: SpoolDirectory) -> None:
    """Each sample is a line of channel, time, value, severity and status; metadata and events follow as comments."""
    commit(spool, ColumnEncoder("embedded"), 4)
    time = "2026-09-21T14:13:20.123456789Z"
    assert run(spool, "cat", "4").splitlines()[6:] == [
        f"A {time} 1.5 0 0",
        f"A {time[:-2]}0Z 2 2 3".replace("45678", "45679"),
        f'B {time} "on air" 0 0',
        f"# meta A {time} DOUBLE[1] mA",
        f"# event B {time} lost_spool_full 7",
    ]


def test_what_cannot_be_shown_says_why(spool: SpoolDirectory) -> None:
    """A batch that is not there, a damaged one, and a missing spool are errors that name them."""
    with pytest.raises(SpoolError, match="batch 9: is not in"):
        run(spool, "cat", "9")
    commit(spool, ColumnEncoder("embedded"), 9)
    path = spool.waiting()[0].path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SpoolFileDamaged, match="the header promises"):
        run(spool, "cat", "9")
    spool.root.rename(spool.root.with_name("elsewhere"))
    with pytest.raises(SpoolError, match="there is no spool"):
        run(spool, "ls")


OLD, OLDER, NEW = (f"influxdb:http://{name}:8086/epics" for name in ("old", "older", "new"))


def moved(spool: SpoolDirectory) -> None:
    """Configure an InfluxDB at another address than that of the batches."""
    (spool.root.parents[1] / "archioc.yml").write_text(
        "archiver: {state_dir: ./state}\nstore: {influxdb: {url: 'http://new:8086', bucket: epics}}\n"
    )


def test_readdress(spool: SpoolDirectory) -> None:
    """What waits for other InfluxDBs, all of it or that of one, goes to the configured one; what waits for the embedded store does not."""
    moved(spool)
    with pytest.raises(SpoolError, match="no batch waits for another store"):
        run(spool, "readdress")
    for batch_id, destination in ((1, OLD), (2, OLDER), (3, OLD), (4, NEW)):
        commit(spool, LineEncoder(destination), batch_id)
    assert run(spool, "readdress", "--from", OLDER) == f"1 batches for {OLDER} go to {NEW}\n"
    addresses = Addresses(spool)
    addresses.refresh()
    assert not addresses.leads_to(OLD, NEW)
    assert f"2 batches for {OLD} go to" in run(spool, "readdress")
    addresses.refresh()
    assert addresses.leads_to(OLD, NEW)
    commit(spool, ColumnEncoder("embedded"), 5)
    with pytest.raises(SpoolError, match="embedded store cannot be sent"):
        run(spool, "readdress")


def test_resend(spool: SpoolDirectory) -> None:
    """The db process is asked for what was delivered since a time; where nothing is kept since then, that is said."""
    with pytest.raises(SpoolError, match="kept for an InfluxDB only"):
        run(spool, "resend")
    moved(spool)
    with pytest.raises(SpoolError, match="nothing is kept that was delivered since"):
        run(spool, "resend")
    commit(spool, LineEncoder(NEW), 1)
    claimed = spool.claim(spool.waiting()[0])
    assert claimed is not None
    DeliveredBatches(spool, Keeping(10**18, 10**9, 0)).keep(claimed, T0)
    assert run(spool, "resend").startswith("1 batches, 3 samples, delivered since 2026-09-21T")
    assert ResendRequest(spool).since_ns() is not None
    with pytest.raises(SpoolError, match="nothing is kept that was delivered since"):
        run(spool, "resend", "--since", "now")
