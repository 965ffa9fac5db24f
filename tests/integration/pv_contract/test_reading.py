"""Each PV reads as the contract says, and its monitors are told what it says."""

from __future__ import annotations

import time

from tests.conftest import CaClientFactory
from tests.integration.pv_contract.content import CHANNELS, ONLY_THIS_HOST, contract
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.waiting import PATIENCE_S, wait_until

DBE_VALUE, DBE_LOG, DBE_ALARM, DBE_PROPERTY = 1, 2, 4, 8


def test_every_row_reads_as_the_contract_says(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Libca sees each PV with the type, count, enum strings, unit, precision and rights of its row, a time stamp, and DESC as DESC."""
    now, rows = time.time(), contract()
    for row in rows:  # all searches at once
        client.connected(prefix + row.pv)
        client.connected(f"{prefix}{row.pv}.DESC$")
    for row in rows:
        seen = client.describe(prefix + row.pv)
        assert (row.pv, seen.dbr_type, seen.count, seen.enum_strings, seen.units) == (
            row.pv,
            row.dbr_type,
            row.count,
            row.enum_strings,
            row.units,
        )
        assert (row.pv, seen.precision, seen.write_access) == (row.pv, row.precision, row.access != "read")
        assert now - 120 < seen.time_s < time.time() + 1, row.pv
        assert client.get_text(f"{prefix}{row.pv}.DESC$") == row.description


def test_masks(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A monitor is told of a new value (VALUE, LOG), alarm (ALARM) or unit (PROPERTY) only if its mask says so."""
    status, name = control.table.status.cells, prefix + "CH:SR:DCCT:Value"
    status["connected"][0], status["units"][0], status["value"][0], status["generation"][0] = 1, b"mA", 1.0, 1
    masks = (DBE_VALUE, DBE_LOG, DBE_ALARM, DBE_PROPERTY)

    def changed(*told: int) -> None:
        for mask in masks:
            counts[mask] += mask in told
        wait_until(lambda: [len(client.events(name, mask)) for mask in masks] == list(counts.values()), PATIENCE_S, f"events of {told}")
        time.sleep(0.2)
        assert [len(client.events(name, mask)) for mask in masks] == list(counts.values())

    counts = dict.fromkeys(masks, 0)
    for mask in masks:
        client.watch(name, mask)
    changed(*masks)
    status["value"][0] = 2.0
    changed(DBE_VALUE, DBE_LOG)
    status["severity"][0], status["status"][0] = 1, 4
    changed(DBE_VALUE, DBE_LOG, DBE_ALARM)
    status["units"][0] = b"A"
    changed(DBE_PROPERTY)


def test_pvs_of_what_is_removed_say_so(client: CaClient, ca_client: CaClientFactory, control: ControlProcess, prefix: str) -> None:
    """The PVs of a channel that is removed and of a group that the file no longer has are INVALID, and all others as before.

    When both are added again, the clients see it within 2 s.
    """
    operator = ca_client([control.port])
    gone = [prefix + name for name in ("CH:SR:DCCT:Value", "CH:SR:DCCT:Rate.DESC", "GRP:vac:Enable", "GRP:vac:Reason")]
    kept = [prefix + name for name in ("State", "CH:SR:OTHER:Value")]
    severities = [f"{prefix}{name}.SEVR" for name in ("CH:SR:DCCT:Value", "CH:SR:DCCT:Rate", "GRP:vac:Enable", "GRP:vac:Reason")]
    for name in (*gone, *severities, *kept):
        client.describe(name)
    control.configure(f"channels: [SR:OTHER]\n{ONLY_THIS_HOST}")
    operator.put(prefix + "Apply", 3)
    wait_until(lambda: {client.get_text(name) for name in severities} == {"INVALID"}, PATIENCE_S, "the PVs say that they are removed")
    client.wait_for_value(f"{prefix}GRP:vac:Reason", "removed")
    assert all(client.get_text(f"{name}.SEVR") == "NO_ALARM" for name in kept[:1])
    control.configure(f"{CHANNELS}\n{ONLY_THIS_HOST}")
    begun = time.monotonic()
    operator.put(prefix + "Apply", 3)
    wait_until(lambda: "INVALID" not in {client.get_text(name) for name in severities[1:]}, PATIENCE_S, "the PVs are there again")
    assert time.monotonic() - begun < 2
    assert all(client.connected(name) for name in (*gone, *kept))
