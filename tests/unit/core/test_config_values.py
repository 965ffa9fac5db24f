"""What a configuration holds once it is read."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from archioc.core.channel import Mode
from archioc.core.config import yaml_positions as config_yaml
from archioc.core.config.config import Config, LogFormat, LogLevel, WhenFull
from archioc.core.config.file import load_config, parse_config
from archioc.core.config.store import InfluxVersion

SITE = Path("/etc/archioc/site.yml")

EVERYTHING = """
archiver: {name: ring-1, prefix: "A:", state_dir: ./data, run_dir: /run/a, max_channels: 100, ring_bytes: 2MB}
ioc: {interfaces: [127.0.0.1, 10.0.0.1], port: 5066, beacon_addr_list: [10.0.0.255, gateway:5065]}
ca:
  addr_list: [10.0.0.255, "127.0.0.1:5070"]
  auto_addr_list: no
  server_port: 5066
  repeater_port: 5067
  max_array_bytes: 10MB
  name_servers: [ns.lab:5064]
  conn_tmo: 10s
  max_search_period: 2min
log: {level: debug, format: json}
store:
  influxdb:
    url: https://influx.lab:8086/
    org: lab
    bucket: epics/autogen
    username: writer
    password_file: secret
    retention: 365d
    version: v1
    timeout: 5s
    verify_tls: false
    ca_file: ca.pem
    gzip: off
spool: {max_bytes: 5GB, min_free: 1MiB, when_full: drop_newest, commit_interval: 100ms, commit_samples: 10}
"""


@pytest.mark.parametrize("text", ["", "# nothing\n", "~", "{}", "archiver:\nioc:\nchannels:\ngroups:\npolicies:\nstore:\nlog: ~\n"])
def test_empty_file_means_the_defaults(text: str) -> None:
    """An empty file, and keys without a value, give the documented defaults."""
    config = parse_config(text, SITE)
    assert config.path == SITE
    assert (config.archiver.name, config.archiver.prefix) == ("main", "ARCH:")
    assert config.archiver.state_dir == Path("/etc/archioc/state")
    assert config.archiver.run_dir is None
    assert (config.archiver.max_channels, config.archiver.ring_bytes) == (200_000, 64_000_000)
    assert (config.ioc.interfaces, config.ioc.port, config.ioc.beacon_addr_list) == (("0.0.0.0",), 5064, ())
    assert config.ca.environment() == {}
    assert (config.log.level, config.log.format) == (LogLevel.INFO, LogFormat.AUTO)
    assert config.store.influxdb is None
    assert config.store.embedded is not None
    assert config.store.embedded.directory == Path("/etc/archioc/state/store")
    assert config.store.embedded.retention is None
    assert (config.spool.max_bytes, config.spool.min_free) == (20_000_000_000, 1_000_000_000)
    assert (config.spool.when_full, config.spool.commit_interval, config.spool.commit_samples) == (WhenFull.DROP_OLDEST, 0.5, 20_000)
    assert (config.policies, config.groups, config.channels) == ((), {}, ())


def test_every_key_is_read() -> None:
    """Each key ends where it belongs, in its unit, with paths taken from the directory of the file."""
    config = parse_config(EVERYTHING, SITE)
    assert (config.archiver.name, config.archiver.prefix, config.archiver.max_channels) == ("ring-1", "A:", 100)
    assert (config.archiver.state_dir, config.archiver.run_dir) == (Path("/etc/archioc/data"), Path("/run/a"))
    assert config.archiver.ring_bytes == 2_000_000
    assert config.ioc.interfaces == ("127.0.0.1", "10.0.0.1")
    assert config.ioc.beacon_addr_list == ("10.0.0.255", "gateway:5065")
    assert (config.log.level, config.log.format) == (LogLevel.DEBUG, LogFormat.JSON)
    influx = config.store.influxdb
    assert influx is not None
    assert config.store.embedded is None
    assert (influx.url, influx.org, influx.bucket, influx.username) == ("https://influx.lab:8086", "lab", "epics/autogen", "writer")
    assert (influx.retention, influx.timeout, influx.version) == (365 * 86_400.0, 5.0, InfluxVersion.V1)
    assert (influx.verify_tls, influx.gzip, influx.ca_file) == (False, False, Path("/etc/archioc/ca.pem"))
    assert influx.password_file == Path("/etc/archioc/secret")
    assert (config.spool.max_bytes, config.spool.min_free) == (5_000_000_000, 2**20)
    assert (config.spool.when_full, config.spool.commit_interval, config.spool.commit_samples) == (WhenFull.DROP_NEWEST, 0.1, 10)


def test_ca_environment_holds_what_is_given() -> None:
    """Keys of `ca` become the variables of libca; an empty list is given, a missing key is not."""
    assert parse_config(EVERYTHING, SITE).ca.environment() == {
        "EPICS_CA_ADDR_LIST": "10.0.0.255 127.0.0.1:5070",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": "5066",
        "EPICS_CA_REPEATER_PORT": "5067",
        "EPICS_CA_MAX_ARRAY_BYTES": "10000000",
        "EPICS_CA_AUTO_ARRAY_BYTES": "YES",
        "EPICS_CA_NAME_SERVERS": "ns.lab:5064",
        "EPICS_CA_CONN_TMO": "10.0",
        "EPICS_CA_MAX_SEARCH_PERIOD": "120.0",
    }
    assert parse_config("ca: {addr_list: [], auto_addr_list: yes}", SITE).ca.environment() == {
        "EPICS_CA_ADDR_LIST": "",
        "EPICS_CA_AUTO_ADDR_LIST": "YES",
    }


def test_embedded_directory_may_be_given() -> None:
    """A directory for the embedded store is taken from the file's directory, not from the state directory."""
    store = parse_config("store: {embedded: {directory: fast/disk, retention: 30d}}", SITE).store
    assert store.embedded is not None
    assert store.embedded.directory == Path("/etc/archioc/fast/disk")
    assert store.embedded.retention == 30 * 86_400.0


def test_embedded_store_follows_the_state_directory() -> None:
    """The default place of the embedded store is in the configured state directory."""
    for text in ("", "store: {embedded: }\n", "store: {embedded: {retention: 2h}}\n"):
        store = parse_config(text + "archiver: {state_dir: /var/lib/a}" if text else "archiver: {state_dir: /var/lib/a}", SITE).store
        assert store.embedded is not None
        assert store.embedded.directory == Path("/var/lib/a/store")


@pytest.mark.parametrize("loader", ["libyaml", "python"])
def test_names_are_what_is_written(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that YAML 1.1 would take for a number, a time, a date or a truth value stays text, whichever parser reads it."""
    if loader == "python":
        monkeypatch.setattr(config_yaml, "_Loader", config_yaml._limited(yaml.BaseLoader))
    config = parse_config("channels: [NO, 12:30, 0123, 1e5, 2024-01-01, {pv: on, description: 1.50}, 'null']", SITE)
    assert [entry.pv for entry in config.channels] == ["NO", "12:30", "0123", "1e5", "2024-01-01", "on", "null"]
    assert config.channels[5].description == "1.50"


def test_alias_is_what_it_stands_for() -> None:
    """An anchor can be used again with an alias."""
    config = parse_config("groups:\n  a: {settings: &slow {mode: scan, rate: 0.1}}\n  b: {settings: *slow}", SITE)
    assert config.groups["b"].settings == config.groups["a"].settings
    assert config.groups["b"].settings.mode is Mode.SCAN


def test_config_is_frozen() -> None:
    """Nobody changes a configuration that was read."""
    config = parse_config("", SITE)
    with pytest.raises(ValidationError) as caught:
        config.archiver.name = "other"
    assert [one["type"] for one in caught.value.errors()] == ["frozen_instance"]


def test_load_config_reads_a_file(tmp_path: Path) -> None:
    """A file, also one that begins with a byte order mark, is read with paths from its own directory."""
    file = tmp_path / "site.yml"
    file.write_bytes(b"\xef\xbb\xbfchannels: [A]\n")
    config = load_config(file)
    assert isinstance(config, Config)
    assert config.path == file
    assert config.archiver.state_dir == tmp_path / "state"


def test_garbage_collection_is_as_before() -> None:
    """Reading a configuration leaves the garbage collector as it was."""
    assert gc.isenabled()
    parse_config("channels: [A]", SITE)
    assert gc.isenabled()
    gc.disable()
    try:
        parse_config("channels: [A]", SITE)
        assert not gc.isenabled()
    finally:
        gc.enable()
