from __future__ import annotations

import statistics
import time

import caproto as ca

from archioc.core.table.table import RowState
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa


def test_settings_act_at_once_and_survive_kill(control: ControlProcess, client: CaClient, ca_client: CaClientFactory, prefix: str) -> None:
    """Rate, Mode, Enable and Desc act in the table when the put completes, and hold after kill -9 and restart."""
    client.put(prefix + "CH:SR:DCCT:Rate", 7)
    client.put(prefix + "CH:SR:DCCT:Mode", "Scan")
    client.put(prefix + "CH:SR:DCCT:Enable", 0)
    with RawCa(control.port) as raw:
        _, rate = raw.open(prefix + "CH:SR:X.HIHI:Rate")
        assert isinstance(raw.put(rate, [b"10Hz"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
    client.put(prefix + "CH:SR:DCCT:Desc", "the current")
    wanted = {"generation": 1, "state": RowState.USED, "enable": 0, "mode": 1, "rate": 7}
    assert control.row_of(0) == wanted
    assert control.row_of(1)["rate"] == 10
    before = control.table.settings.cells["seq"][:2].tolist()
    control.kill()
    control.start()
    assert control.row_of(0) == wanted
    assert control.table.settings.cells["seq"][:2].tolist() == before
    again = ca_client([control.port])
    assert again.get_text(prefix + "CH:SR:DCCT:Desc") == "the current"
    assert again.get(prefix + "CH:SR:DCCT:Rate") == 7


def test_bad_setting_is_refused(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A put that breaks a rule fails, the value stays, and Result tells the rule; scan without a rate is one of them."""
    control.refuses(prefix + "CH:SR:X.HIHI:Rate", -1)
    assert "must lie between 0 and 100000 Hz" in client.get_text(prefix + "Result")
    control.refuses(prefix + "CH:SR:DCCT:Mode", 1)
    assert "mode scan needs a rate above 0 Hz" in client.get_text(prefix + "Result")
    assert client.get(prefix + "CH:SR:X.HIHI:Rate") == 5
    assert [control.row_of(row)["mode"] for row in (0, 1)] == [0, 0]


def test_dead_bands_interval_and_mask(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Dead bands, the longest interval and the mask are put one by one or with Set, reach the table, and are refused beyond limits."""
    for field, value in (("Deadband", 0.5), ("DeadbandPct", 2), ("MaxInterval", 60), ("Mask", "Value")):
        client.put(f"{prefix}CH:SR:DCCT:{field}", value)
    client.put(prefix + "Set", "SR:X.HIHI deadband=1e-9 deadband_pct=3% max_interval=1min mask=value")
    cells = control.table.settings.cells
    for row, wanted in ((0, (0.5, 2, 60, 1)), (1, (1e-9, 3, 60, 1))):
        assert tuple(cells[row][name] for name in ("deadband", "deadband_pct", "max_interval", "mask")) == wanted
    for field, value, rule in (("Deadband", -1, "0 or more"), ("DeadbandPct", 101, "0 and 100 %"), ("MaxInterval", 0.01, "0 (never)")):
        control.refuses(f"{prefix}CH:SR:DCCT:{field}", value)
        assert rule in client.get_text(prefix + "Result")
    assert client.get(f"{prefix}CH:SR:DCCT:MaxInterval") == 60


def test_puts_are_durable_quickly(control: ControlProcess, prefix: str) -> None:
    """Puts with completion, each on disk before it completes, mostly take less than 50 ms, also where the machine has other work."""
    with RawCa(control.port) as raw:
        _, rate = raw.open(prefix + "CH:SR:DCCT:Rate")
        seconds = []
        for number in range(100):
            begun = time.monotonic()
            assert isinstance(raw.put(rate, [float(number + 1)], ca.ChannelType.DOUBLE), ca.WriteNotifyResponse)
            seconds.append(time.monotonic() - begun)
            assert control.row_of(0)["rate"] == number + 1
    assert statistics.median(seconds) < 0.05
