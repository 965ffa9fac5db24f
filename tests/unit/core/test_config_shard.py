"""The block `shard`: whose number it is, and that no two shards share what must be their own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from archioc.core.config.config import Config
from archioc.core.config.file import load_declaration, parse_config
from archioc.core.errors import ConfigError
from archioc.core.shard import ALONE, Shard

FILE = Path("/site/archioc.yml")
NAMED = "archiver: {name: 'main-{shard}', prefix: 'ARCH{shard}:'}\n"


def read(text: str) -> Config:
    return parse_config(text, FILE)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment does not tell a number."""
    monkeypatch.delenv("ARCHIOC_SHARD_INDEX", raising=False)
    monkeypatch.delenv("ARCHIOC_SHARD_SLOT", raising=False)


def test_every_shard_reads_the_same_file() -> None:
    """Name, prefix and directories hold the number of the shard; other shards' prefixes are known."""
    config = read(
        "archiver: {name: 'main-{shard}', prefix: 'ARCH{shard}:', state_dir: '/data/{shard}', run_dir: '/run/{shard}'}\n"
        "shard: {index: 2, count: 4, handover: 10s}"
    )
    assert (config.archiver.name, config.archiver.prefix) == ("main-2", "ARCH2:")
    assert (config.archiver.state_dir, config.archiver.run_dir) == (Path("/data/2"), Path("/run/2"))
    assert config.own_shard == Shard(2, 4, 10.0, "ARCH{shard}:")
    assert config.own_shard.describe(13) == "shard 13 (ARCH13:)"


@pytest.mark.parametrize(
    ("host", "variables", "index"),
    [
        ("archioc-3", {}, 3),
        ("archioc-12.archive.svc.cluster.local", {}, 12),
        ("archioc-3", {"ARCHIOC_SHARD_INDEX": "0"}, 0),
        ("box", {"ARCHIOC_SHARD_SLOT": "1"}, 0),
        ("box", {"ARCHIOC_SHARD_SLOT": "7", "ARCHIOC_SHARD_INDEX": ""}, 6),
        ("box", {"ARCHIOC_SHARD_SLOT": "7", "ARCHIOC_SHARD_INDEX": "2"}, 2),
    ],
)
def test_the_number_comes_from_outside(host: str, variables: dict[str, str], index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's ordinal ends its host's name; the environment goes before, with Swarm's slots counted from 1."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read(NAMED + "shard: {count: 3}").own_shard.index == index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shard: {index: 0, count: 2}", r"archioc\.yml:1: archiver\.name: must hold \{shard\}.* \(and 1 more\)"),
        ("archiver: {name: 'm-{shard}', prefix: 'A:'}\nshard: {index: 0, count: 1}", r":1: archiver\.prefix: must hold \{shard\}"),
        ("archiver: {name: m, prefix: 'A{shard}:'}\nshard: {index: 0, count: 2}", r":1: archiver\.name: must hold \{shard\}"),
        (NAMED, r":1: archiver\.name: holds \{shard\}, but there is no block shard \(and 1 more\)"),
        (NAMED + "shard: {index: 0}", r":2: shard\.count: is required"),
        (NAMED + "shard: {index: 0, count: 0}", r":2: shard\.count: 0: must be at least 1"),
        (NAMED + "shard: {index: -1, count: 2}", r":2: shard\.index: -1: must be a number from 0 on, or hostname"),
        (NAMED + "shard: {index: 0, count: 2, handover: 2d}", r":2: shard\.handover: 2d: must lie between 0 and 86400 s"),
        (
            NAMED + "shard: {count: 2}",
            r":2: shard\.index: the name of this host, box, does not end with - and a number; set ARCH",
        ),
        (
            "archiver: {name: 'm{shards}-{shard}', prefix: 'A{shard}:'}\nshard: {index: 0, count: 2}",
            r":1: archiver\.name: m\{shards\}-",
        ),
    ],
)
def test_what_does_not_tell_shards_apart_is_refused(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard without a number, or without a name and a prefix of its own, is an error of the file, with its place."""
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    with pytest.raises(ConfigError, match=message):
        read(text)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "\u0661"])
def test_a_wrong_variable_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number from the environment that is none is told with the variable."""
    monkeypatch.setenv("ARCHIOC_SHARD_INDEX", value)
    with pytest.raises(ConfigError, match=r"shard\.index: .*ARCHIOC_SHARD_INDEX is '.*', must be a number from 0 on"):
        read(NAMED + "shard: {index: 0, count: 2}")


def test_without_the_block_it_stands_alone() -> None:
    """An archiver without the block is shard 0 of 1 and names no others."""
    config = read("")
    assert config.shard is None
    assert config.own_shard == ALONE


def test_each_shard_reads_an_unchanged_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells a file that was applied from others also tells for which shard it was."""
    file = tmp_path / "site.yml"
    file.write_text(NAMED + "shard: {index: 0, count: 3}\nchannels: [SR:A]")
    found = set()
    for index in ("0", "1", "1"):
        monkeypatch.setenv("ARCHIOC_SHARD_INDEX", index)
        declaration = load_declaration(file)
        assert declaration.shard.index == int(index)
        found.add(declaration.fingerprint)
    assert len(found) == 2
