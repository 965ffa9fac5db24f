"""Every kind of mistake in a configuration file gives one line with file, line and key."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import yaml

from archioc.core.config import yaml_positions as config_yaml
from archioc.core.config.file import load_config, parse_config
from archioc.core.errors import ConfigError

SITE = Path("site.yml")

INFLUX = "store:\n  influxdb:\n    url: http://localhost:8086\n    bucket: epics\n"

MISTAKES = {
    "unknown key at the top": (
        "web: {port: 1}",
        "1: web: no such key (there are archiver, shard, ioc, ca, http, log, store, spool, access, policies, groups, channels)",
    ),
    "typing mistake": (
        "archiver:\n  prefix: 'A:'\n  nmae: x",
        "3: archiver.nmae: no such key; did you mean name? (there are name, prefix, state_dir, run_dir, group, max_channels, ring_bytes)",
    ),
    "unknown setting": (
        "channels:\n- A\n- pv: B\n  ratte: 5",
        (
            "4: channels[1].ratte: no such key; did you mean rate? "
            "(there are enable, mode, rate, description, deadband, deadband_pct, max_interval, mask, "
            "quota, clock, max_elements, large_arrays, as_text, pv)"
        ),
    ),
    "unknown key in a group called like a key": (
        "groups:\n  channels:\n    colour: x",
        "3: groups.channels.colour: no such key (there are enable, condition, description, settings, channels)",
    ),
    "key twice": ("log: {level: info}\nca: {}\nlog: {level: debug}", "3: log: this key is given twice"),
    "key that is no text": ("? [a]\n: b", "1: a key must be text"),
    "file is a list": ("- a", "1: must be a mapping (key: value)"),
    "block is text": ("log: info", "1: log: must be a mapping (key: value)"),
    "list is text": ("channels:\n  SR:X", "1: channels: SR:X: must be a list, such as [a, b]"),
    "list is a mapping": ("channels: {a: 1}", "1: channels: must be a list, such as [a, b]"),
    "bad rate": ("\nchannels:\n- A\n- {pv: B, rate: -5}", "4: channels[1].rate: -5: must lie between 0 and 100000 Hz"),
    "rate without value": ("channels: [{pv: B, rate: }]", "1: channels[0].rate: must be a rate such as 10 or 0.1Hz"),
    "bad mode in a policy": ("policies:\n- {match: '*', mode: fast}", "2: policies[0].mode: fast: must be monitor or scan"),
    "bad enable in a group": (
        "groups: {v: {settings: {enable: perhaps}}}",
        "1: groups.v.settings.enable: perhaps: must be 1 or 0 (also yes/no, true/false, on/off)",
    ),
    "bad channel name": (
        "channels:\n- A\n- a b",
        "3: channels[1]: a b: holds a blank or a character that cannot be printed (a channel name is printable, without blanks)",
    ),
    "channel without name": ("channels:\n- rate: 5", "2: channels[0].pv: is required"),
    "channel is a list": ("channels: [[A]]", "1: channels[0]: must be a channel name, or a mapping with pv"),
    "channel twice": ("channels:\n- A\n- B\n- A.VAL", "4: channels[2]: A: this channel is already declared at channels[0]"),
    "channel in two groups": (
        "groups:\n  a: {channels: [X]}\n  b:\n    channels:\n    - pv: ca://X",
        "5: groups.b.channels[0].pv: X: this channel is already declared at groups.a.channels[0]",
    ),
    "scan without rate": ("channels:\n- pv: A\n  mode: scan", "3: channels[0].mode: mode scan needs a rate above 0 Hz (channel A)"),
    "scan of a group, rate 0 of a channel": (
        "groups:\n  v:\n    settings: {mode: scan, rate: 1}\n    channels:\n    - A\n    - {pv: B, rate: 0}",
        "6: groups.v.channels[1].rate: mode scan needs a rate above 0 Hz (channel B)",
    ),
    "scan without rate in a group counts once": (
        "groups:\n  v:\n    settings: {mode: scan}\n    channels: [A, B]",
        "3: groups.v.settings.mode: mode scan needs a rate above 0 Hz (channel A)",
    ),
    "scan without rate in a policy": (
        "policies: [{match: '*', mode: scan}]\nchannels: [A]",
        "1: policies[0].mode: mode scan needs a rate above 0 Hz (channel A)",
    ),
    "policy that matches nothing readable": (
        "policies: [{match: /(/}]",
        "1: policies[0].match: /(/: is no regular expression: ...",
    ),
    "empty match": (
        "policies: [{match: ''}]",
        "1: policies[0].match: must be a glob such as *:CURRENT or a regular expression such as /^SR:/",
    ),
    "group name": ("groups: {a b: {}}", "1: groups.a b: must be 1 to 40 letters, digits, - and _"),
    "archiver name": ("archiver: {name: a/b}", "1: archiver.name: a/b: must be 1 to 40 letters, digits, - and _"),
    "prefix": ("archiver: {prefix: 'A B'}", "1: archiver.prefix: A B: must be 1 to 40 letters, digits and _ - : ; < > [ ]"),
    "no number": ("archiver: {max_channels: many}", "1: archiver.max_channels: many: must be a whole number"),
    "too small": ("archiver: {max_channels: 0}", "1: archiver.max_channels: 0: must be at least 1"),
    "too large": ("archiver: {max_channels: 2000001}", "1: archiver.max_channels: 2000001: must be at most 2000000"),
    "size": ("archiver: {ring_bytes: 64QB}", "1: archiver.ring_bytes: 64QB: unit 'QB' is none of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"),
    "ring too small": ("archiver: {ring_bytes: 1kB}", "1: archiver.ring_bytes: 1kB: must be at least 1000000 bytes"),
    "port": ("ioc: {port: 0}", "1: ioc.port: 0: must be at least 1"),
    "interface": ("ioc:\n  interfaces:\n  - localhost", "3: ioc.interfaces[0]: localhost: must be an IPv4 address such as 10.0.0.1"),
    "no interface": ("ioc: {interfaces: []}", "1: ioc.interfaces: must name at least one"),
    "address": ("ca: {addr_list: [10.0.0.300]}", "1: ca.addr_list[0]: 10.0.0.300: must be an IPv4 address such as 10.0.0.1"),
    "port of an address": ("ca: {addr_list: ['h:70000']}", "1: ca.addr_list[0]: h:70000: the port must lie between 1 and 65535"),
    "host": ("ca: {name_servers: [a b]}", "1: ca.name_servers[0]: a b: must be a host name or IPv4 address, with :port or without"),
    "truth": ("ca: {auto_addr_list: perhaps}", "1: ca.auto_addr_list: perhaps: must be true or false"),
    "one of": ("log: {level: loud}", "1: log.level: loud: must be debug, info, warning or error"),
    "duration": ("spool: {commit_interval: 1ms}", "1: spool.commit_interval: 1ms: must lie between 0.05 and 10 s"),
    "access without hosts": ("access:\n  control:\n  - users: [ops]", "3: access.control[0].hosts: is required"),
    "access with an empty list": ("access: {control: [{hosts: []}]}", "1: access.control[0].hosts: must name at least one"),
    "access with no user": ("access: {expert: [{hosts: [10.0.0.1], users: []}]}", "1: access.expert[0].users: must name at least one"),
    "network": (
        "access: {control: [{hosts: [10.0.0.1/24]}]}",
        "1: access.control[0].hosts[0]: 10.0.0.1/24: has bits set beyond its mask; a network is written like 10.0.1.0/24",
    ),
    "host name in access": (
        "access: {control: [{hosts: [office]}]}",
        "1: access.control[0].hosts[0]: office: must be an IPv4 address or network such as 10.0.1.7 or 10.0.1.0/24",
    ),
    "influxdb without keys": ("store:\n  influxdb:", "2: store.influxdb.url: is required (and 1 more)"),
    "two stores": (INFLUX + "  embedded: {}", "1: store: influxdb and embedded are both given; choose one"),
    "url": (INFLUX.replace("http:", "ftp:"), "3: store.influxdb.url: must be a URL such as http://host:8086"),
    "version": (INFLUX + "    version: 7", "5: store.influxdb.version: must be auto, v1 or v2"),
    "retention": ("store: {embedded: {retention: 5s}}", "1: store.embedded.retention: 5s: must be at least 3600 s"),
    "tag": ("log:\n  level: !!python/name:os.system x", "2: log.level: YAML tags (!name) are not used here"),
    "alias in itself": ("log: &a {level: *a}", "1: log.level: an alias must not lie inside what it stands for"),
    "home of nobody": (
        "archiver: {state_dir: ~nobody-here/x}",
        "1: archiver.state_dir: ~nobody-here/x: cannot be resolved: this machine does not know the home directory of that user",
    ),
    "several": ("log: {level: loud}\nioc: {port: 0}\nweb: {}", "1: log.level: loud: must be debug, info, warning or error (and 2 more)"),
    "first in the order of the file": ("channels: [a b]\nlog:\n  level: loud\nlog: {}", None),
}


@pytest.mark.parametrize("text_and_message", MISTAKES.values(), ids=MISTAKES.keys())
def test_one_clear_line(text_and_message: tuple[str, str | None]) -> None:
    """A mistake is told as `file:line: key: what is wrong`, the first of several in the order of the file."""
    text, message = text_and_message
    with pytest.raises(ConfigError) as caught:
        parse_config(text, SITE)
    if message is None:
        assert str(caught.value).startswith("site.yml:1: channels[0]: a b: ")
        assert str(caught.value).endswith(" (and 2 more)")
    elif message.endswith("..."):  # what follows is a library's
        assert str(caught.value).startswith(f"site.yml:{message.removesuffix('...')}")
    else:
        assert str(caught.value) == f"site.yml:{message}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("loader", ["libyaml", "python"])
@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("log:\n  level: a: b", 2, "put text that holds ': ' in quotes"),
        ("log: {}\n\tioc: {}", 2, "a tab stands here; indent with blanks"),
        ("channels: [a,\nb", 2, "a quote or a bracket is not closed; look at what begins in line 1"),
        ("log: {}\n---\nlog: {}", 2, "a second document begins here, and a file holds one; look at what begins in line 1"),
        ("log: {}\nca: *nothing", 2, "this alias has no anchor before it"),
        ("log: &nothing {}\nca: &nothing {}", 2, "this anchor is given twice; look at what begins in line 1"),
        ("log: {}\nca: 'open", 2, "the file ends too early: a quote or a bracket is not closed"),
        ("log: {}\nca: \x01", 2, "holds a control character, which YAML does not allow"),
        ("log: {}\nca: !nothing!x 5", 2, "YAML tags (!name) are not used here"),
        ("log: {}\nca: @nothing", 2, "text that begins with this character needs quotes"),
        ("log: {}\nca: 'x'nothing'", 2, "check indentation, quotes, commas and brackets; look at what begins in line 1"),
    ],
)
def test_bad_yaml(text: str, line: int, rule: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is no YAML is told with its line and a rule of ours, whichever parser reads it, and quotes nothing of the file."""
    if loader == "python":
        monkeypatch.setattr(config_yaml, "_Loader", config_yaml._limited(yaml.BaseLoader))
    with pytest.raises(ConfigError) as caught:
        parse_config(text, SITE)
    assert caught.value.line == line
    assert caught.value.key == ""
    assert str(caught.value).endswith(rule)
    assert "nothing" not in str(caught.value)
    assert "\n" not in str(caught.value)


DEEP = {
    "just too deep": ("[" * 51 + "]" * 51, 2),
    "beyond what libyaml allows": ("[" * 50_000 + "]" * 50_000, 2),
    "not closed": ("[" * 50_000, 2),
    "lists in mappings": ("ca: " + "[{" * 3_000, 2),
    "after quotes, comments and text with a bracket": ("ca: it's\nlog: ']]]' # ]]]\nspool: x[y\nioc: " + "[" * 2_000, 5),
    "mappings": ("{a: " * 50_000, 2),
    "items in a line": ("- " * 50_000, 2),
    "keys in a line": ("? " * 50_000, 2),
    "line by line": ("[\n" * 2_000, 51),
    "by indentation": ("".join(" " * at + "a:\n" for at in range(200)), 51),
}


@pytest.mark.parametrize(("text", "line"), DEEP.values(), ids=DEEP.keys())
@pytest.mark.parametrize("loader", ["libyaml", "python"])
def test_deep_nesting(text: str, line: int, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep a file is nested, it is refused by a rule of ours, with the line, whichever parser reads it and where it gives up."""
    if loader == "python":
        monkeypatch.setattr(config_yaml, "_Loader", config_yaml._limited(yaml.BaseLoader))
    with pytest.raises(ConfigError) as caught:
        parse_config(f"\n{text}", SITE)
    assert (caught.value.line, caught.value.message) == (line, "is not YAML: is nested more than 50 deep")


def test_many_brackets_are_no_deep_nesting() -> None:
    """Lists side by side, and brackets in quotes, comments and names, count for nothing when something else is wrong later."""
    text = "channels:\n" + '- {pv: \'A[[\', mode: scan, rate: 1} # [[\n- X.{"arr":{"s":2}}\n- Y[[\n' * 60 + "log: a: b\n"
    with pytest.raises(ConfigError, match=r"site\.yml:182: is not YAML: no key is allowed here"):
        parse_config(text, SITE)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a ConfigError without a line."""
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yml")
    assert str(caught.value) == f"{tmp_path}/none.yml: cannot be read: {os.strerror(errno.ENOENT)}"


def test_file_in_another_encoding(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told with their line."""
    file = tmp_path / "site.yml"
    file.write_bytes(b"log: {}\nchannels: [\xfc]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert str(caught.value) == f"{file}:2: is not UTF-8 text"
