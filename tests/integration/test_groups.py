"""Groups with an enabling condition on a running archiver, and the configuration file applied to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import caproto as ca
import pytest
import yaml

from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.ca_client import CaClient
from tests.processes.raw_ca import RawCa
from tests.processes.soft_ioc import SoftIoc
from tests.records.counters import TRANSIT_NS, counter_database, counter_names

MODES = """
record(mbbo, "{prefix}MODE") {{
    field(ZRVL, 0) field(ZRST, "Shutdown") field(ONVL, 1) field(ONST, "Beam") field(VAL, 1) field(PINI, YES)
}}
"""


@dataclass(frozen=True, slots=True)
class Grouped:
    """An archiver with a group whose condition is on another IOC. names: a channel in the group, and one outside."""

    archiver: Archiver
    modes: SoftIoc
    client: CaClient
    mode: str
    names: list[str]

    def group(self, field: str) -> str:
        return f"{self.archiver.prefix}GRP:vacuum:{field}"

    def state(self, channel: str) -> str:
        return f"{self.archiver.prefix}CH:{channel}:State"

    def put_mode(self, label: str, wanted: str) -> int:
        """Change the mode and wait for the channel of the group to follow; when (ns) that began."""
        begun = time.time_ns()
        self.client.put(self.mode, label)
        self.client.wait_for_value(self.state(self.names[0]), wanted)
        return begun


@pytest.fixture
def grouped(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> Grouped:
    names = counter_names(prefix, 2)
    ioc, modes = softioc(counter_database(names)), softioc(MODES.format(prefix=prefix))
    mode = f"{prefix}MODE"
    made = archiver(names[1:], [ioc.port, modes.port])
    configure(made, groups={"vacuum": {"condition": f'{mode} == "Beam"', "channels": [names[0]]}})
    made.start(connected=2)
    return Grouped(made, modes, ca_client([made.port, ioc.port, modes.port]), mode, names)


def configure(archiver: Archiver, **blocks: object) -> None:
    """Write these blocks into its configuration file."""
    content = yaml.safe_load(archiver.config.read_text())
    archiver.config.write_text(yaml.safe_dump({**content, **blocks}, sort_keys=False))


def test_condition_switches_its_channels(grouped: Grouped) -> None:
    """While the condition does not hold the channel of the group has no samples and a gap that says why; another is not touched.

    It resumes with a generated sample. An IOC of the condition that dies changes nothing, neither while it holds nor while it does not.
    """
    archiver, client, (inside, outside) = grouped.archiver, grouped.client, grouped.names
    client.wait_for_value(grouped.group("ConditionState"), "Holds")
    client.wait_for_value(grouped.state(inside), "Archiving")
    off_ns = grouped.put_mode("Shutdown", "GroupOff")
    followed_ns = time.time_ns()
    reason = f'group vacuum: {grouped.mode} == "Beam" does not hold'
    assert client.get_text(f"{archiver.prefix}CH:{inside}:Reason") == reason[:63]
    assert client.get_text(grouped.group("Reason")) == reason
    assert (client.get(grouped.group("Channels")), client.get(grouped.group("State"))) == (1, 0)
    assert "groups off    vacuum" in archiver.command("status", "--config", str(archiver.config)).out
    grouped.modes.kill()
    client.wait_for_value(grouped.group("ConditionState"), "Unknown")
    engine = archiver.kill_child("engine")
    archiver.wait_for_successor("engine", engine)
    archiver.wait_connected(2)
    client.wait_for_value(grouped.state(inside), "GroupOff")
    assert client.get_text(grouped.state(outside)) == "Archiving"
    grouped.modes.restart()
    client.wait_for_value(grouped.state(inside), "Archiving")
    on_ns = time.time_ns()
    grouped.modes.kill()
    client.wait_for_value(grouped.group("ConditionState"), "Unknown")
    assert client.get_text(grouped.state(inside)) == "Archiving"
    archiver.wait_for_samples(inside, on_ns + 10**9)
    assert archiver.stop() == 0
    history = archiver.check_conservation().histories[inside]
    gap = next(gap for gap in history.gaps("group_off") if gap.end_ns is not None)
    assert off_ns <= gap.time_ns <= followed_ns
    assert gap.end_ns is not None
    assert not [sample for sample in history.samples if gap.time_ns < sample.time_ns < gap.end_ns - TRANSIT_NS]
    assert any(sample.generated and sample.time_ns == gap.end_ns for sample in history.samples)


def test_operators_switch_groups(grouped: Grouped) -> None:
    """Enable and Condition of a group act when put; a condition that cannot be read is refused and changes nothing."""
    client, inside = grouped.client, grouped.names[0]
    client.wait_for_value(grouped.state(inside), "Archiving")
    client.put(grouped.group("Enable"), 0)
    client.wait_for_value(grouped.state(inside), "GroupOff")
    client.put(grouped.group("Enable"), 1)
    client.wait_for_value(grouped.state(inside), "Archiving")
    client.put(grouped.group("Condition"), f"{grouped.mode} > 1")
    client.wait_for_value(grouped.state(inside), "GroupOff")
    with RawCa(grouped.archiver.port) as raw:
        _, condition = raw.open(grouped.group("Condition"))
        assert isinstance(raw.put(condition, f"{grouped.mode} => 1".encode(), ca.ChannelType.CHAR), ca.ErrorResponse)
    assert "=> is no comparison" in client.get_text(grouped.archiver.prefix + "Result")
    client.wait_for_value(grouped.group("Condition"), f"{grouped.mode} > 1")
    client.put(grouped.group("Condition"), "")
    client.wait_for_value(grouped.state(inside), "Archiving")


def test_apply_follows_the_file(grouped: Grouped) -> None:
    """The file is read again by a command: told first, then done; what operators have put stays unless the file has changed it.

    A file with a fault is refused with its place, and nothing changes. What is exported declares the same.
    """
    archiver, client, (inside, outside) = grouped.archiver, grouped.client, grouped.names
    file = ("--config", str(archiver.config))
    client.put(f"{archiver.prefix}CH:{outside}:Rate", 3)
    client.put(f"{archiver.prefix}CH:{inside}:Rate", 4)
    policies = [{"match": "*", "description": "by policy"}]
    groups = {"vacuum": {"condition": f"{grouped.mode} != 0", "settings": {"rate": 7}, "channels": [inside]}}
    configure(archiver, policies=policies, groups=groups)
    told = archiver.command("channels", "apply", "--dry-run", *file)
    assert told.status == 0, told.err
    assert f"~ {inside}: rate 4.0 -> 7.0" in told.out
    assert client.get(f"{archiver.prefix}CH:{inside}:Rate") == 4
    assert f"~ {inside}: rate 4.0 -> 7.0" in archiver.command("channels", "diff", *file).out
    done = archiver.command("channels", "apply", *file)
    assert (done.status, done.out) == (0, "applied: changed 2 channels, changed 1 group, changed the policies\n")
    assert [client.get(f"{archiver.prefix}CH:{name}:Rate") for name in (inside, outside)] == [7, 3]
    listed = {one["name"]: one["sources"] for one in json.loads(archiver.command("channels", "list", "--format", "json", *file).out)}
    assert (listed[inside]["rate"], listed[outside]["rate"], listed[inside]["description"]) == ("group vacuum", "override", "policy *")
    exported = yaml.safe_load(archiver.command("channels", "export", *file).out)
    configure(archiver, **exported)
    assert archiver.command("channels", "apply", *file).out == "applied: nothing changes\n"
    configure(archiver, channels=[{"pv": outside, "rate": -1}])
    refused = archiver.command("channels", "apply", *file)
    assert refused.status == 1
    assert "channels[0].rate: -1: must lie between 0 and 100000 Hz" in refused.err
    assert client.get(f"{archiver.prefix}CH:{outside}:Rate") == 3
