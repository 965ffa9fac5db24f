"""Databases, buckets and mappings: what is made where it is missing, on a double of each version."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreDenied
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point
from tests.integration.influx_answers.line_files import DAY_S, GENERATIONS, Double, Opened, a_file, one_sample


@pytest.mark.parametrize("version", ["v2.0.9", "v2.7.12"])
def test_a_bucket_of_2x(double: Double, opened: Opened, tmp_path: Path, version: str) -> None:
    """2.x: bucket and mapping are made in their organisation, with the retention; writes are gzipped and have the token of the moment.

    From 2.1 on the server has a mapping of itself.
    """
    server = double(version)
    server.token = "first"
    token = tmp_path / "token"
    token.write_text("first\n")
    store = opened(server, token_file=str(token), retention=DAY_S)
    made = {request.path: json.loads(request.body) for request in server.requests if request.method == "POST"}
    bucket = {"name": "epics", "orgID": "0123", "retentionRules": [{"type": "expire", "everySeconds": DAY_S}]}
    mapping = {"bucketID": "4567", "orgID": "0123", "database": "epics", "retention_policy": "autogen", "default": True}
    assert made == {"/api/v2/buckets": bucket} | ({"/api/v2/dbrps": mapping} if version == "v2.0.9" else {})
    assert store.warning == ""
    server.token = "second"
    token.write_text("second\n")
    now = time.time_ns()
    store.write(a_file([Point("A", now, 2.0)]))
    written = server.writes[0]
    assert written.query == {"precision": ["ns"], "bucket": ["epics"], "org": ["lab"]}
    assert gzip.decompress(written.body) == b"sample,pv=A value=2.0 %d\n" % now
    store.prepare()
    assert sum(request.method == "POST" for request in server.requests) == len(made) + 1


def test_a_mapping_that_cannot_be_made(double: Double, opened: Opened) -> None:
    """2.x: a token that may not make a mapping writes, and a warning tells it; with a mapping to another bucket nothing is written."""
    server = double("v2.0.9")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    server.may_create = False
    store = opened(server)
    assert "reading bucket epics will fail: database not found: epics; " in store.warning
    assert "401 write:orgs/0123/buckets is unauthorized" in store.warning
    assert store.write(one_sample()).rejected.tolist() == [0]
    server.mappings = [{"database": "epics", "retention_policy": "autogen", "bucketID": "other", "virtual": False}]
    with pytest.raises(StoreDenied, match=r"is mapped \(DBRP\) to another bucket than epics: what is written there cannot be read"):
        store.prepare()
    server.mappings = [{"database": "epics", "retention_policy": "autogen", "bucketID": "1", "virtual": True}]
    store.prepare()
    assert store.warning == ""


def test_an_upgraded_bucket_of_2x(double: Double) -> None:
    """2.x after `influxd upgrade`, with the database mapped to `epics/autogen`: no bucket `epics` is made; the error names the other."""
    server = double("v2.7.12")
    server.databases["epics/autogen"] = {"id": "1", "orgID": "2", "retentionRules": []}
    server.mappings = [{"database": "epics", "retention_policy": "autogen", "bucketID": "1", "default": True, "virtual": False}]
    store = InfluxDatabase(InfluxStore.model_validate({"url": server.url, "bucket": "epics", "org": "lab", "token": "t"}))
    with pytest.raises(StoreDenied, match=r"After `influxd upgrade` the bucket is called epics/autogen"):
        store.prepare()
    assert list(server.databases) == ["epics/autogen"]
    store.close()


def test_a_named_policy_of_2x_becomes_the_default_mapping(double: Double, opened: Opened) -> None:
    """2.x: a bucket `database/policy` gets a default mapping where the server's own is none, as lists of names are read through it."""
    server = double("v2.7.12")
    server.databases["dbx/year"] = {"id": "1", "orgID": "2", "retentionRules": []}
    own = {"database": "dbx", "retention_policy": "year", "bucketID": "1", "default": False, "virtual": True}
    server.mappings = [own]
    opened(server, bucket="dbx/year")
    assert [(one["retention_policy"], one["default"]) for one in server.mappings[1:]] == [("year", True)]


def test_a_bucket_of_2x_that_cannot_be_read(double: Double, opened: Opened) -> None:
    """2.x: a token that may only write writes, and it is told that reading will fail."""
    server = double("v2.7.12")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    server.may_create = server.may_see = False
    store = opened(server)
    assert store.write(one_sample()).rejected.tolist() == [0]
    assert "reading bucket epics will fail: database not found: epics" in store.warning
    assert "the token may see neither bucket epics nor org lab" in store.warning


def test_2x_needs_an_organisation(double: Double) -> None:
    """2.x without `org` is not written to: it would say 400 to every sample; a user of the paths of 1.x needs none."""
    server = double("v2.7.12")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    store = InfluxDatabase(InfluxStore(url=server.url, bucket="epics"))
    with pytest.raises(StoreDenied, match=r"InfluxDB 2\.7\.12 needs an `org`"):
        store.prepare()
    store.close()
    user = InfluxDatabase(InfluxStore.model_validate({"url": server.url, "bucket": "epics", "username": "me", "password": "secret"}))
    user.prepare()
    assert (user.write(one_sample()).rejected.tolist(), user.warning) == ([0], "")
    user.close()


def test_a_database_of_3x(double: Double, opened: Opened) -> None:
    """3.x: only with a retention is the database made beforehand, in whole hours; one that is there is left alone."""
    server = double("3.9.0")
    opened(server)
    assert server.databases == {}
    for _ in range(2):
        opened(server, retention=5000)
    assert server.databases == {"epics": {"db": "epics", "retention_period": "2h"}}


def test_who_may_write_need_not_be_who_may_create(double: Double, opened: Opened) -> None:
    """A server that lets us write, but neither make nor look, is written to."""
    for version in GENERATIONS:
        server = double(version)
        server.may_create = server.may_see = False
        server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
        assert opened(server, retention=DAY_S).write(one_sample()).rejected.tolist() == [0]
