"""`archioc explain` on what a store, a spool and a quarantine hold; `test_explain.py` has a running archiver."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archioc.cli.explain.evidence import changed_settings, settings_at
from archioc.cli.explain.spooled import event_of_line
from archioc.core.aliases import Alias
from archioc.core.channel import ChannelSettings, Mode
from archioc.core.config.file import load_config
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.ownership import owner_of
from archioc.core.spool.batch import SampleFlag
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.encoding.escaping import escape_tag
from archioc.core.spool.encoding.line_fields import event_line
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.timestamp import SECOND, format_utc
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.store import Refusal, WriteOutcome
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.writer import Registry
from tests.archives.batches import Point, make_batch, spool_file
from tests.archives.stored_archive import StoredArchive, make_archive

NOW = time.time_ns() - 600 * SECOND
"""A moment for which a sample is missing: the samples around it are 3 s apart."""

AROUND = [Point("A", NOW + after_s * SECOND, value) for after_s, value in ((-10, 1.0), (-1, 2.0), (2, 3.0), (30, 4.0))]


@pytest.fixture
def archive(tmp_path: Path) -> StoredArchive:
    return make_archive(tmp_path)


def explain(archive: StoredArchive, channel: str = "A", time_ns: int = NOW) -> dict[str, Any]:
    found: dict[str, Any] = archive.read_json("explain", channel, format_utc(time_ns))
    return found


@pytest.mark.parametrize(
    ("event", "word"),
    [
        *((ChannelEvent("A", NOW - SECOND // 2, reason, end_ns=NOW + 2 * SECOND), reason.word) for reason in sorted(GAPS)),
        (ChannelEvent("A", NOW + 5 * SECOND, Reason.LOST_OVERFLOW, count=7), "lost_overflow"),
        (ChannelEvent("A", NOW + 5 * SECOND, Reason.LOST_QUOTA, count=7), "lost_quota"),
        (ChannelEvent("A", NOW + 5 * SECOND, Reason.LOST_SPOOL_FULL, count=7), "lost_spool_full"),
        (ChannelEvent("A", NOW + 500 * SECOND, Reason.LOST_SPOOL_FULL, count=7), "lost_spool_full"),
        (ChannelEvent("A", NOW + SECOND, Reason.REJECTED, count=7, text="7 refused: no"), "rejected"),
        (ChannelEvent("A", NOW - SECOND // 2, Reason.REJECTED, text="no read access"), "rejected"),
        (ChannelEvent("A", NOW + SECOND, Reason.TYPE_CHANGED, text="LONG became DOUBLE"), "type_changed"),
        (ChannelEvent("A", NOW + SECOND, Reason.SETTINGS_CHANGED, text="rate 0 -> 1"), "settings_changed"),
        (ChannelEvent("A", NOW + SECOND, Reason.BAD_TIME, text="the IOC's stamp is unset"), "bad_time"),
    ],
)
def test_an_event_is_the_cause(archive: StoredArchive, event: ChannelEvent, word: str) -> None:
    """An event that concerns the moment is the cause, with its words and its count."""
    archive.store(AROUND, [event])
    found = explain(archive)
    assert found["cause"] == word
    assert event.text in found["text"]
    assert found["causes"][0]["count"] == event.count
    assert (found["before"]["value"], found["after"]["value"]) == (2, 3)


@pytest.mark.parametrize(
    "event",
    [
        ChannelEvent("A", NOW - 5 * SECOND, Reason.DISCONNECTED, end_ns=NOW - SECOND),
        ChannelEvent("A", NOW + 3 * SECOND, Reason.DISCONNECTED),
        ChannelEvent("A", NOW - 5 * SECOND, Reason.DISABLED),
        ChannelEvent("A", NOW + 60 * SECOND, Reason.LOST_OVERFLOW, count=7),
        ChannelEvent("A", NOW - 30 * SECOND, Reason.LOST_SPOOL_FULL, count=7),
        ChannelEvent("A", NOW - 5 * SECOND, Reason.REJECTED, text="no read access"),
        ChannelEvent("B", NOW, Reason.LOST_QUOTA, count=7),
    ],
)
def test_an_event_elsewhere_is_no_cause(archive: StoredArchive, event: ChannelEvent) -> None:
    """Gaps that were over or had not begun, also one whose end was lost, later and earlier losses and other channels explain nothing."""
    archive.store([*AROUND, Point("B", NOW, 1.0)], [event])
    assert explain(archive)["cause"] == "unknown"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            ChannelEvent("A", NOW - SECOND // 2, Reason.DISCONNECTED, text="a server answers the search, but refuses the channel"),
            "the channel was not connected: a server answers the search, but refuses the channel",
        ),
        (ChannelEvent("A", NOW - SECOND // 2, Reason.DISCONNECTED), "the IOC was not reachable, or no server answered for the channel"),
        (
            ChannelEvent("A", NOW - SECOND // 2, Reason.NO_VALUE, text="connected at 2026-01-31 12:00:00, no value yet"),
            "the channel was connected, but no value was archived: connected at 2026-01-31 12:00:00, no value yet",
        ),
    ],
)
def test_a_gap_is_explained_by_what_is_known_of_it(archive: StoredArchive, event: ChannelEvent, text: str) -> None:
    """A channel that was refused or silent is not said to have been away, and nothing false stands beside what is known."""
    archive.store(AROUND[:2], [event])
    assert explain(archive)["text"] == text


def test_a_usual_hole_is_no_loss(archive: StoredArchive) -> None:
    """Between samples that are no farther apart than those behind them nothing was lost, whatever is told; in a wider hole it was."""
    regular = [Point("A", NOW + at * SECOND, float(at)) for at in range(60) if not 20 < at < 25]
    events = [ChannelEvent("A", NOW + 28 * SECOND, reason, count=3) for reason in (Reason.LOST_OVERFLOW, Reason.LOST_SPOOL_FULL)]
    archive.store(regular, events)
    assert explain(archive, time_ns=NOW + 18 * SECOND + SECOND // 2)["cause"] == "unknown"
    causes = [cause["cause"] for cause in explain(archive, time_ns=NOW + 22 * SECOND)["causes"]]
    assert causes == ["lost_overflow", "lost_spool_full"]


def test_a_sample_of_the_moment(archive: StoredArchive) -> None:
    """A sample of the moment is told as stored, to the microsecond that tables show; one that was restamped as that."""
    archive.store([*AROUND, Point("R", NOW, 1.0, flags=SampleFlag.RESTAMPED, src_time=5)])
    assert explain(archive, time_ns=(NOW + 2 * SECOND) // 1000 * 1000)["cause"] == "stored"
    assert [cause["cause"] for cause in explain(archive, "R")["causes"]] == ["bad_time", "stored"]


def test_what_waits_in_the_spool(archive: StoredArchive) -> None:
    """Samples and events that are in the spool only are told as pending, or explain; before the first one nothing was archived."""
    archive.store(AROUND[:2])
    archive.spool(AROUND[2:], [ChannelEvent("A", NOW + 9 * SECOND, Reason.DISABLED, end_ns=NOW + 20 * SECOND)])
    found = explain(archive)
    assert (found["cause"], found["causes"][0]["count"]) == ("pending", 2)
    assert explain(archive, time_ns=NOW + 10 * SECOND)["cause"] == "disabled"
    assert explain(archive, time_ns=NOW - 60 * SECOND)["cause"] == "not_yet_added"
    assert explain(archive, "NOPE")["cause"] == "not_archived"
    assert explain(archive, time_ns=NOW + 10**6 * SECOND)["cause"] == "future"


@pytest.mark.parametrize(("text", "word"), [("", "removed"), ("moved to shard 3 (ARCH3:)", "moved")])
def test_an_event_tells_that_the_channel_left(archive: StoredArchive, text: str, word: str) -> None:
    """From the event on the channel was removed, or another shard has it; before it and after the next sample it was not."""
    archive.store(AROUND, [ChannelEvent("A", NOW - SECOND // 2, Reason.REMOVED, text=text)])
    found = explain(archive)
    assert (found["cause"], found["certain"], found["causes"][0]["start_ns"]) == (word, True, NOW - SECOND // 2)
    assert text.removeprefix("moved to ") in found["text"]
    assert explain(archive, time_ns=NOW - 3 * SECOND)["cause"] == "unknown"
    assert explain(archive, time_ns=NOW + 10 * SECOND)["cause"] == "unknown"
    gone = NOW + 40 * SECOND
    archive.store([], [ChannelEvent("A", NOW + 31 * SECOND, Reason.DISABLED, gone), ChannelEvent("A", gone, Reason.REMOVED, text=text)])
    assert explain(archive, time_ns=NOW + 60 * SECOND)["cause"] == word


def test_a_channel_of_another_shard(tmp_path: Path) -> None:
    """Where no event tells, the names do: what belongs to another shard has moved there, or was never here."""
    archive = make_archive(tmp_path)
    archive.store(AROUND)
    archive.config.write_text("archiver: {name: 'a{shard}', prefix: 'ARCH{shard}:', state_dir: ./state}\nshard: {index: 1, count: 3}\n")
    assert owner_of("A", 3) == 0
    found = explain(archive, time_ns=NOW + 60 * SECOND)
    assert (found["cause"], found["certain"]) == ("moved", False)
    assert "shard 0 (ARCH0:)" in found["text"]
    elsewhere = next(name for name in map(str, range(99)) if owner_of(name, 3) == 2)
    assert explain(archive, elsewhere)["text"].endswith("; it belongs to shard 2 (ARCH2:)")


def test_a_channel_that_was_renamed(archive: StoredArchive) -> None:
    """Asked for by its earlier name, a channel is not taken for one that was removed."""
    registry = Registry(archive.directories.registry)
    old = ArchivedChannel("A", 0, 1, ChannelSettings(), ChannelSettings())
    new = ArchivedChannel("B", 1, 1, ChannelSettings(), ChannelSettings())
    for revision, change in enumerate((Change(added=(old,)), Change((new,), removed=(old,), renamed=(Alias("A", "B", NOW, None),))), 1):
        registry.commit(change, (), revision)
        registry.accept(change, revision)
    registry.close()
    archive.store(AROUND)
    assert explain(archive, time_ns=NOW + 60 * SECOND)["archived"]
    assert archive.read("explain", "A").startswith("A (now B) at ")
    assert archive.read("explain", "B").startswith("B at ")


def test_beyond_the_retention(archive: StoredArchive) -> None:
    """A moment that is older than what the store keeps is told as that."""
    archive.config.write_text("archiver: {state_dir: ./state}\nstore: {embedded: {retention: 30d}}\n")
    archive.store(AROUND)
    assert explain(archive, time_ns=NOW - 31 * 86400 * SECOND)["cause"] == "retention"


def test_what_a_server_refused_and_what_it_never_got(archive: StoredArchive, ports: Callable[[int], list[int]]) -> None:
    """With InfluxDB away refused samples are found in the quarantine with the server's words, and waiting ones in the spool."""
    server = f"http://127.0.0.1:{ports(1)[0]}"
    archive.config.write_text(f"archiver: {{state_dir: ./state}}\nstore: {{influxdb: {{url: '{server}', bucket: epics}}}}\n")
    encoder = encoder_for(load_config(archive.config).store)
    spool = SpoolDirectory(archive.directories.spool)
    spool.create()
    refused = spool_file(encoder, make_batch(AROUND[1:2]), 1)
    one = refused.counts["samples"].astype("i8")
    outcome = WriteOutcome(one, one, (Refusal(decompress(refused.payload).splitlines()[0], "no"),))
    Quarantine(archive.directories.spool).keep(refused, outcome)
    event = ChannelEvent("A", NOW + 60 * SECOND, Reason.GROUP_OFF, text='group "vac"')
    spool.publish(spool.prepare(spool_file(encoder, make_batch(AROUND[2:], [event]), 2)))
    found = explain(archive)
    assert [cause["cause"] for cause in found["causes"]][:2] == ["quarantined", "pending"]
    assert found["text"].endswith(": no")
    later = explain(archive, time_ns=NOW + 61 * SECOND)
    assert later["cause"] == "group_off"
    assert later["text"].endswith('group "vac"')


@pytest.mark.parametrize(
    "event",
    [
        ChannelEvent("A,B =C", NOW, Reason.DISCONNECTED, end_ns=NOW + 1, text='says "no, \\ n=3i"'),
        ChannelEvent("A", NOW, Reason.LOST_QUOTA, count=12),
        ChannelEvent("A", NOW, Reason.TYPE_CHANGED, text="end_ns=5i, count=6i"),
    ],
)
def test_an_event_is_read_from_its_line(event: ChannelEvent) -> None:
    """An event read from line protocol is the one that was written."""
    line = event_line(b"main", escape_tag(event.channel), event)
    assert event_of_line(line, event.channel) == event


def test_settings_of_a_moment() -> None:
    """Changes that came later are undone, the newest first."""
    events = [
        ChannelEvent("A", NOW + 1, Reason.SETTINGS_CHANGED, text="rate 0 -> 10, mode monitor -> scan"),
        ChannelEvent("A", NOW + 2, Reason.SETTINGS_CHANGED, text="rate 10 -> 1"),
        ChannelEvent("A", NOW, Reason.SETTINGS_CHANGED, text="deadband 5 -> 1"),
    ]
    now = ChannelSettings(mode=Mode.SCAN, rate=1.0, deadband=1.0)
    assert settings_at(now, events, NOW) == ChannelSettings(deadband=1.0)
    assert settings_at(now, events, NOW + 1) == ChannelSettings(mode=Mode.SCAN, rate=10.0, deadband=1.0)
    assert changed_settings("rate 0 -> 10, mode monitor -> scan") == {"rate": ("0", "10"), "mode": ("monitor", "scan")}
