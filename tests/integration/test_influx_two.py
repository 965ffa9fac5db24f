"""What is InfluxDB 2.x's own, on a real 2.7 server: organisations, buckets, tokens, mappings, and a whole archiver on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreDenied
from archioc.core.incidents import IncidentKind
from archioc.core.spool.batch import Kind
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.core.table.table import StoreState
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.archives.watched_store import WatchedStore
from tests.conftest import CountingFactory
from tests.processes.influxd import InfluxDatabase as Bucket
from tests.processes.influxd import find_influxd_2
from tests.processes.influxd_two import ORG, InfluxdTwo
from tests.processes.ports import free_ports
from tests.processes.tools import missing_tool
from tests.records.counters import check_no_loss

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

Opened = Callable[..., InfluxDatabase]


@pytest.fixture
def opened(shared_influxd_2: InfluxdTwo) -> Iterator[Opened]:
    """opened(bucket, **settings): a store on the shared server that is ready to write, as the operator unless told otherwise."""
    made: list[InfluxDatabase] = []

    def open_store(bucket: str, **settings: object) -> InfluxDatabase:
        made.append(InfluxDatabase(InfluxStore.model_validate({**shared_influxd_2.settings(bucket), **settings})))
        made[-1].prepare()
        return made[-1]

    yield open_store
    for store in made:
        store.close()


def one_sample(value: float = 2.0) -> SpoolFile:
    return spool_file(LineEncoder("influxdb"), make_batch([Point("A", time.time_ns(), value)]))


def stored(store: InfluxDatabase, channel: str = "A") -> list[float]:
    return [value for chunk in store.samples(channel, 0, time.time_ns()) for value in chunk.value.tolist()]


def test_the_bucket_is_made_with_its_retention(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """A missing bucket is made with its retention by a token that may, and can be read at once; one that is there is left alone."""
    name = f"{influx_bucket.name}-made"
    token = shared_influxd_2.make_token(("read", "orgs", shared_influxd_2.org_id), ("read", "buckets", None), ("write", "buckets", None))
    for retention in (7200.0, 86400.0):
        store = opened(name, token=token, retention=retention)
        store.write(one_sample(retention))
    assert f"retention: 1d is configured, but {name} keeps samples for 2h" in store.warning
    assert [rule["everySeconds"] for rule in shared_influxd_2.bucket(name)["retentionRules"]] == [7200]
    assert stored(store) == [7200.0, 86400.0]
    shared_influxd_2.drop_database(name)


@pytest.mark.parametrize("bucket", ["{}/fine", "{}/autogen"])
def test_a_bucket_named_as_a_policy(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened, bucket: str) -> None:
    """A bucket `database/policy` is reached through the mapping of that database and policy."""
    name = bucket.format(influx_bucket.name)
    store = opened(name)
    store.write(one_sample(1.5))
    assert (stored(store), store.warning) == ([1.5], "")
    shared_influxd_2.drop_database(name)


def test_a_mapping_of_ones_own(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """With a mapping of the database to another bucket, which is left as it is, nothing is written: it could not be read."""
    first = shared_influxd_2.bucket("first")
    place = {"database": influx_bucket.name, "retention_policy": "autogen", "default": True}
    shared_influxd_2.api("POST", "dbrps", {**place, "bucketID": first["id"], "orgID": shared_influxd_2.org_id})
    with pytest.raises(StoreDenied, match=r"is mapped \(DBRP\) to another bucket"):
        opened(influx_bucket.name)


def test_tokens(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened, tmp_path: Path) -> None:
    """Each token does what it may: what it may not is a reason to wait, with the server's words, and never a reason to reject.

    The token is read from its file at each use.
    """
    bucket = shared_influxd_2.bucket(influx_bucket.name)["id"]
    make = shared_influxd_2.make_token
    file = tmp_path / "token"

    def use(token: str) -> InfluxDatabase:
        file.write_text(f"{token}\n")
        return opened(influx_bucket.name, token=None, token_file=str(file))

    store = use(make(("write", "buckets", bucket)))
    assert store.write(one_sample(1.0)).rejected.tolist() == [0]
    assert f"reading bucket {influx_bucket.name} will fail: database not found" in store.warning
    store = use(make(("read", "buckets", bucket)))
    assert (stored(store), store.warning) == ([1.0], "")
    with pytest.raises(StoreDenied, match="403 insufficient permissions for write"):
        store.write(one_sample())
    file.write_text(make(("read", "buckets", bucket), ("write", "buckets", bucket)))
    assert store.write(one_sample(2.0)).rejected.tolist() == [0]
    assert stored(store) == [1.0, 2.0]
    file.write_text("wrong")
    with pytest.raises(StoreDenied, match="401 unauthorized access"):
        store.write(one_sample())
    with pytest.raises(StoreDenied, match="401 Unauthorized"):
        list(store.names())


def test_what_is_not_there(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """A bucket that is missing and may not be made, or has been dropped, and an unknown organisation, are reasons to wait."""
    bucket = shared_influxd_2.bucket(influx_bucket.name)["id"]
    token = shared_influxd_2.make_token(("read", "buckets", bucket), ("write", "buckets", bucket))
    with pytest.raises(StoreDenied, match='404 bucket "nowhere" not found'):
        opened("nowhere", token=token).write(one_sample())
    with pytest.raises(StoreDenied, match='404 organization name "nobody" not found'):
        opened(influx_bucket.name, org="nobody").write(one_sample())
    with pytest.raises(StoreDenied, match="needs an `org`"):
        opened(influx_bucket.name, org="")
    dropped = f"{influx_bucket.name}-dropped"
    store = opened(dropped)
    shared_influxd_2.drop_database(dropped)
    with pytest.raises(StoreDenied, match="404 bucket"):
        store.write(one_sample())
    store.prepare()
    assert store.write(one_sample(3.0)).rejected.tolist() == [0]
    assert stored(store) == [3.0]
    shared_influxd_2.drop_database(dropped)


def test_an_organisation_that_is_not_that_of_the_token(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """An operator's token writes for another organisation; that it reads only its own, where the bucket is not, is told."""
    name = f"{influx_bucket.name}-other"
    other = shared_influxd_2.api("POST", "orgs", {"name": name})["id"]
    store = opened(name, org=name)
    assert store.write(one_sample()).rejected.tolist() == [0]
    assert shared_influxd_2.bucket(name, org=name)["orgID"] == other
    assert f"reading bucket {name} will fail: database not found" in store.warning
    shared_influxd_2.api("DELETE", f"orgs/{other}")


def test_a_user_of_the_paths_of_1x(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """User and password of an authorization for 1.x clients write and read through a mapping, without an organisation."""
    bucket = {"type": "buckets", "id": shared_influxd_2.bucket(influx_bucket.name)["id"], "orgID": shared_influxd_2.org_id}
    permissions = [{"action": action, "resource": bucket} for action in ("read", "write")]
    wanted = {"token": influx_bucket.name, "orgID": shared_influxd_2.org_id, "permissions": permissions}
    made = shared_influxd_2.api("POST", "authorizations", wanted, under="/private/legacy/")
    shared_influxd_2.api("POST", f"authorizations/{made['id']}/password", {"password": "top:secret"}, under="/private/legacy/")
    store = opened(influx_bucket.name, org="", token=None, username=influx_bucket.name, password="top:secret")
    assert store.write(one_sample(4.0)).rejected.tolist() == [0]
    assert (stored(store), store.warning) == ([4.0], "")


@pytest.mark.parametrize("knows", [True, False])
def test_only_what_is_beyond_the_retention_is_refused(
    shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened, knows: bool
) -> None:
    """Samples too old for the bucket count as rejected, none is kept for a quarantine, and the rest is stored.

    That holds for a token that may see the retention, and for one that hears of it from the refusal.
    """
    name = f"{influx_bucket.name}-short"
    opened(name, retention=3600.0)
    bucket = shared_influxd_2.bucket(name)["id"]
    token = shared_influxd_2.make_token(("write", "buckets", bucket), *([("read", "buckets", bucket)] if knows else []))
    now = time.time_ns()
    points = [Point(f"PV{at % 3}", now - (10**13 if at in {4, 7, 50} else 0) + at, float(at)) for at in range(100)]
    outcome = opened(name, token=token).write(spool_file(LineEncoder("influxdb"), make_batch(points)))
    assert (outcome.rejected.tolist(), outcome.kept.tolist(), outcome.refusals) == ([0, 2, 1], [0, 0, 0], ())
    assert [(event.channel, event.count) for event in outcome.events] == [("PV1", 2), ("PV2", 1)]
    reader = opened(name)
    assert sum(len(stored(reader, channel)) for channel in reader.names()) == 97
    shared_influxd_2.drop_database(name)


@pytest.mark.parametrize("use_gzip", [True, False])
def test_large_bodies(influx_bucket: Bucket, opened: Opened, use_gzip: bool) -> None:
    """A batch of 30 MB is stored whole, and a text of several MB comes back to the byte."""
    now = time.time_ns()
    text = b"x" * 3_000_000
    store = opened(influx_bucket.name, gzip=use_gzip)
    points = [Point("T", now + at, blob=text, kind=Kind.TEXT) for at in range(10)]
    outcome = store.write(spool_file(LineEncoder("influxdb"), make_batch(points)))
    assert (outcome.rejected.tolist(), outcome.refusals) == ([0], ())
    assert [found.encode() for chunk in store.samples("T", 0, now + 10) for found in chunk.text if found is not None] == [text] * 10


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[InfluxdTwo]:
    """A server of the test's own, to kill and start again."""
    program = find_influxd_2() or missing_tool("influxd-2", "`make influxd-2` builds it into .cache where there are go and cargo")
    server = InfluxdTwo(program, free_ports(1)[0], tmp_path / "influxd")
    yield server
    server.stop()


def test_a_whole_archiver(counting: CountingFactory, own_server: InfluxdTwo, tmp_path: Path) -> None:
    """An archiver with org, bucket and token file makes the bucket, and loses nothing when the server is killed meanwhile.

    `archioc check` finds all well, and says what is wrong when the token is.
    """
    file = tmp_path / "token"
    make = own_server.make_token
    file.write_text(make(("read", "orgs", own_server.org_id), ("read", "buckets", None), ("write", "buckets", None)))
    block = {"url": own_server.url, "org": ORG, "bucket": "epics", "token_file": str(file), "retention": "30d"}
    counts = counting(5, {"influxdb": block})
    archiver = counts.archiver
    own_server.kill()
    archiver.wait_for_spool(4)
    own_server.start()
    archiver.wait_for_empty_spool()
    checked = CliRunner().invoke(app, ["check", str(archiver.config)])
    assert (checked.exit_code, "store ok" in checked.stdout) == (0, True), checked.stdout
    until_ns = time.time_ns()
    archiver.wait_for_samples(counts.names[0], until_ns)
    assert archiver.stop() == 0
    check_no_loss(counts.watch.by_channel(), archiver.check_conservation().histories, until_ns)
    assert [rule["everySeconds"] for rule in own_server.bucket("epics")["retentionRules"]] == [30 * 86_400]
    file.write_text("wrong")
    checked = CliRunner().invoke(app, ["check", str(archiver.config)])
    assert checked.exit_code == 1
    assert any("store FAULT" in line and "401 unauthorized access" in line for line in checked.stdout.splitlines()), checked.stdout


def test_a_bucket_that_is_gone(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, tmp_path: Path) -> None:
    """A bucket that was there and is gone is not made again; once a person has made it, all that is kept is there."""
    settings = shared_influxd_2.settings(influx_bucket.name)
    made = WatchedStore(tmp_path / "watched", InfluxStore.model_validate(settings))
    made.commit(5)
    made.work()
    assert (made.state, made.is_whole()) == (StoreState.OK, True)
    shared_influxd_2.drop_database(influx_bucket.name)
    made.commit(1)
    for _ in range(2):
        made.work_denied(r"not found; .* was there and is gone: restore it, make it by hand")
    shared_influxd_2.make_database(influx_bucket.name)
    made.work()
    assert made.is_whole()
    assert [incident.kind for incident in made.standing()] == [IncidentKind.EMPTIED]
    made.close()


def test_a_mapping_that_is_changed(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, tmp_path: Path) -> None:
    """A mapping that somebody leads to another bucket while samples are written: Denied; it goes on once that is mended."""
    made = WatchedStore(tmp_path / "watched", InfluxStore.model_validate(shared_influxd_2.settings(influx_bucket.name)))
    made.commit(3)
    made.work()
    other = shared_influxd_2.bucket("first")
    place = {"database": influx_bucket.name, "retention_policy": "autogen", "default": True}
    mapping = shared_influxd_2.api("POST", "dbrps", {**place, "bucketID": other["id"], "orgID": shared_influxd_2.org_id})
    made.commit(3)
    made.work_denied("what is written cannot be read back|is mapped .DBRP. to another bucket")
    assert made.state is StoreState.DENIED
    shared_influxd_2.api("DELETE", f"dbrps/{mapping['id']}?org={ORG}")
    made.work()
    assert made.is_whole()
    made.close()


def test_what_check_finds(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket) -> None:
    """`archioc check` tries what the token may do, and says what the first start would make; an unknown organisation is a fault."""
    bucket = shared_influxd_2.bucket(influx_bucket.name)["id"]
    make = shared_influxd_2.make_token

    def check(name: str = influx_bucket.name, **more: object) -> str:
        store = InfluxDatabase(InfluxStore.model_validate({**shared_influxd_2.settings(name), **more}))
        try:
            return store.try_out()
        finally:
            store.close()

    assert "can be written and read" in check()
    assert "is not there yet: the first start makes it" in check(f"{influx_bucket.name}-new")
    assert "is not there yet: the first start makes it" in check(f"{influx_bucket.name}/year")
    with pytest.raises(StoreDenied, match="nolab"):
        check(org="nolab")
    with pytest.raises(StoreDenied, match="needs an `org`"):
        check(org="")
    with pytest.raises(StoreDenied, match="insufficient permissions for write"):
        check(token=make(("read", "buckets", bucket)))
    with pytest.raises(StoreDenied, match="database not found"):
        check(token=make(("write", "buckets", bucket)))


def test_a_bucket_named_as_policy_has_names(shared_influxd_2: InfluxdTwo, influx_bucket: Bucket, opened: Opened) -> None:
    """In a bucket `database/policy` that the server has mapped by itself, channels can be listed."""
    name = f"{influx_bucket.name}x/year"
    shared_influxd_2.make_database(name)
    store = opened(name)
    store.write(one_sample(3.0))
    assert list(store.names()) == ["A"]
    assert stored(store) == [3.0]
    shared_influxd_2.drop_database(name)
