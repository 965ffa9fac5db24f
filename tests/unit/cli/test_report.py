"""`archioc report` and the filters of `archioc channels list`, on a registry and a channel table as the processes write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.core.errors import UsageError
from archioc.core.table.table import ChannelState, ChannelTable
from archioc.core.timestamp import SECOND
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from tests.archives.declarations import declaration, declare
from tests.archives.stored_archive import StoredArchive, make_archive

NAMES = ("NEVER", "QUIET", "BUSY", "LOSSY", "OFF")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[StoredArchive]:
    made = make_archive(tmp_path)
    directories = made.directories
    directories.run.mkdir()
    table = ChannelTable(directories.run)
    table.create(10)
    registry = Registry(directories.registry)
    rows = ChannelRows(table, (), {}, registry.groups)
    channels = [declare(name) for name in NAMES[:3]] + [declare("LOSSY", rate=5.0), declare("OFF", enable=False)]
    apply_declared(registry, rows, declaration(*channels, groups=(DeclaredGroup("vacuum"),)), 0)
    rows.synchronise(registry.channels.values(), registry.revision)
    now = time.time_ns()
    for name, state, connected, received, rate, stored in (
        ("NEVER", ChannelState.DISCONNECTED, 0, 0, 0.0, 0),
        ("QUIET", ChannelState.ARCHIVING, 1, now - 7200 * SECOND, 0.0, 10),
        ("BUSY", ChannelState.ARCHIVING, 1, now, 100.0, 85),
        ("LOSSY", ChannelState.ARCHIVING, 1, now, 20.0, 5),
        ("OFF", ChannelState.DISABLED, 1, 0, 0.0, 0),
    ):
        channel = registry.channels[name]
        for block in (table.status, table.ledger, table.delivery):
            block.cells["generation"][channel.row] = channel.generation
        status = table.status.cells
        status["state"][channel.row] = state
        status["connected"][channel.row] = status["ever_connected"][channel.row] = connected
        status["received_at"][channel.row], status["event_rate"][channel.row] = received, rate
        table.delivery.cells["stored"][channel.row] = stored
    lossy = registry.channels["LOSSY"].row
    table.ledger.cells["dropped_quota"][lossy], table.delivery.cells["rejected"][lossy] = 3, 2
    yield made
    registry.close()
    table.close()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("never",), ["NEVER"]),
        (("silent",), ["OFF", "QUIET"]),
        (("silent", "--older", "3h"), ["OFF"]),
        (("noisy",), ["BUSY", "LOSSY"]),
        (("noisy", "--top", "1"), ["BUSY"]),
        (("dropped",), ["LOSSY"]),
        (("storage",), ["BUSY", "QUIET", "LOSSY"]),
    ],
)
def test_a_report_lists_the_worst_first(archive: StoredArchive, words: tuple[str, ...], names: list[str]) -> None:
    """Each report has the channels that it is about, the worst first, in both forms."""
    found = archive.read_json("report", *words)
    assert [one["channel"] for one in found["channels"]] == names
    lines = archive.read("report", *words).splitlines()
    assert [line.split()[0] for line in lines[1 : len(names) + 1]] == names


def test_what_a_report_tells(archive: StoredArchive) -> None:
    """Losses come by reason, storage as a share of all, and --top leaves the total as it is."""
    [lossy] = archive.read_json("report", "dropped")["channels"]
    assert lossy == {"channel": "LOSSY", "lost": 5, "overflow": 0, "spool_full": 0, "quota": 3, "rejected": 2}
    assert [one["share_pct"] for one in archive.read_json("report", "storage")["channels"]] == [85, 10, 5]
    assert archive.read_json("report", "noisy", "--top", "1")["total"] == 2
    with pytest.raises(UsageError, match="--older long"):
        archive.run("report", "silent", "--older", "long")


def test_clocks_of_servers(archive: StoredArchive) -> None:
    """Each server has the offset of its live channel that is furthest ahead; silent channels and unset stamps show nothing."""
    table, now = ChannelTable(archive.directories.run), time.time_ns()
    table.open()
    status, ledger = table.status.cells, table.ledger.cells
    rows = {name: row for row, name in enumerate(NAMES)}
    for name, host, offset_s, received in (
        ("NEVER", b"slow:5064", -90.25, 5),
        ("QUIET", b"fast:5064", 2.5, 2),
        ("BUSY", b"slow:5064", -61.5, 9),
        ("LOSSY", b"fast:5064", 3600.0, 1),
    ):
        row = rows[name]
        status["connected"][row], status["host"][row], ledger["received"][row] = 1, host, received
        status["received_at"][row], status["time"][row] = now, now + round(offset_s * SECOND)
    row = rows["OFF"]
    status["host"][row], ledger["received"][row], status["time"][row] = b"unset:5064", 7, 631_152_000 * SECOND
    ledger["bad_time"][rows["NEVER"]] = 4
    table.close()
    found = archive.read_json("report", "clocks")["channels"]
    assert found == [
        {"channel": "BUSY", "server": "slow:5064", "offset_s": -61.5, "channels": 2, "bad_time": 4},
        {"channel": "QUIET", "server": "fast:5064", "offset_s": 2.5, "channels": 1, "bad_time": 0},
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--filter", "*Y"), ["BUSY", "LOSSY"]),
        (("--disabled",), ["OFF"]),
        (("--overridden",), []),
        (("--group", "vac*"), []),
        (("--group", "", "--filter", "?????"), ["LOSSY", "NEVER", "QUIET"]),
    ],
)
def test_channels_are_filtered(archive: StoredArchive, words: tuple[str, ...], names: list[str]) -> None:
    """Only channels for which all filters hold are listed."""
    assert [one["name"] for one in archive.read_json("channels", "list", *words)] == names


def test_where_a_setting_comes_from(archive: StoredArchive) -> None:
    """--why tells the source of each setting."""
    assert "rate=5.0 (own)" in archive.read("channels", "list", "--filter", "LOSSY", "--why")
