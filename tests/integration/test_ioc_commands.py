from __future__ import annotations

import caproto as ca
import pytest

from archioc.core.table.table import RowState
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import PATIENCE_S, wait_until


def test_add_brings_rows_into_the_table(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """When a put to Add completes, its channels have rows with their settings, and Result says so."""
    client.put(prefix + "Add", 'A:1 rate=5\nA:2 mode=scan rate=0.1 description="two words"')
    assert control.row_of(2) == {"generation": 1, "state": RowState.USED, "enable": 1, "mode": 0, "rate": 5}
    assert control.row_of(3) == {"generation": 1, "state": RowState.USED, "enable": 1, "mode": 1, "rate": 0.1}
    assert int(control.table.settings.head["rows"][0]) == 4
    assert client.get_text(prefix + "Result") == "added 2 channels"
    assert client.get(prefix + "ResultCode") == 0
    assert client.get_text(prefix + "CH:A:2:Desc") == "two words"


def test_bad_add_changes_nothing_and_says_why(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A wrong line in Add fails at the client, changes neither table nor registry, and Result names line, value and rule."""
    revision = int(control.table.settings.head["revision"][0])
    control.refuses(prefix + "Add", "A:1 rate=5\nA:2 rate=fast")
    assert control.used_rows() == [0, 1]
    assert int(control.table.settings.head["revision"][0]) == revision
    expected = "line 2: A:2: rate=fast: must be a rate such as 10 or 0.1Hz; nothing was changed"
    assert client.get_text(prefix + "Result") == expected
    assert client.get(prefix + "ResultCode") == 2


def test_set_and_remove_with_globs(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Set and Remove take globs once their number is confirmed, the lists take an element a line."""
    client.put(prefix + "AddList", ["V:1", "V:2 rate=1"])
    control.refuses(prefix + "Set", "V:* enable=0")
    assert "means 2 channels, repeat it with confirm=2" in client.get_text(prefix + "Result")
    client.put(prefix + "Set", "V:* enable=0 confirm=2")
    assert [control.row_of(row)["enable"] for row in (2, 3)] == [0, 0]
    client.put(prefix + "RemoveList", ["V:1", "V:2"])
    assert [control.row_of(row)["state"] for row in (2, 3)] == [RowState.REMOVED] * 2
    assert client.get_text(prefix + "Result") == "removed 2 channels"


def test_string_put_to_a_command(control: ControlProcess, prefix: str) -> None:
    """A DBR_STRING put, as Phoebus sends it, works for Add too."""
    with RawCa(control.port) as raw:
        _, add = raw.open(prefix + "Add")
        assert isinstance(raw.put(add, [b"A:9 rate=3"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
    assert control.row_of(2)["rate"] == 3


def test_flush_waits_for_the_engine(control: ControlProcess, prefix: str) -> None:
    """A put of 1 to Flush completes when the engine has followed the counter, and Flush reads back 0."""
    with RawCa(control.port) as raw:
        _, flush = raw.open(prefix + "Flush")
        raw.send(ca.WriteNotifyRequest([1], ca.ChannelType.LONG, 1, flush.sid, 77))
        wait_until(lambda: int(control.table.settings.head["flush"][0]) == 1, PATIENCE_S, "the flush counter is raised")
        with pytest.raises(TimeoutError):
            raw.wait_for(ca.WriteNotifyResponse, 0.2)
        control.table.status.head["flush_done"][0] = 1
        raw.wait_for(ca.WriteNotifyResponse)
        assert raw.get(flush, ca.ChannelType.LONG).data.tolist() == [0]


def test_removed_row_is_free_after_release(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """The row of a removed channel goes to the next added one as soon as the engine has let go of it, with a new generation."""
    client.put(prefix + "Remove", "SR:DCCT")
    client.put(prefix + "Add", "A:1")
    assert control.used_rows() == [1, 2]
    control.table.status.cells["generation"][0], control.table.status.cells["released"][0] = 1, 1
    client.put(prefix + "Add", "A:2")
    assert control.row_of(0) == {"generation": 2, "state": RowState.USED, "enable": 1, "mode": 0, "rate": 0}
