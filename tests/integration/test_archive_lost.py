"""An InfluxDB that is emptied, dropped or replaced under a whole archiver: told within a minute, and written again."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.conftest import ArchiverFactory, CaClientFactory, InfluxdFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.influxd import Influxd
from tests.processes.waiting import wait_until

RECORDS = """
record(ao, "{prefix}HOT") {{ field(VAL, "25") field(HIHI, "20") field(HHSV, "MAJOR") field(EGU, "degC") field(PINI, "YES") }}
record(mbbo, "{prefix}MODE") {{ field(VAL, "1") field(ZRST, "off") field(ONST, "beam") field(PINI, "YES") }}
record(stringout, "{prefix}NAME") {{ field(VAL, "ring") field(PINI, "YES") }}
"""
CHANNELS = ("HOT", "MODE", "NAME")
WITHIN_S = 60
RUNNING = 1


def rows(server: Influxd, measurement: str, prefix: str, names: tuple[str, ...]) -> set[str]:
    """Those of the channels that have points in a measurement."""
    wanted = {f"{prefix}{name}" for name in names}
    try:
        return {str(row["pv"]) for row in server.query(f'SELECT * FROM "{measurement}"', "epics")} & wanted
    except RuntimeError:
        return set()


def is_written_again(server: Influxd, prefix: str) -> bool:
    """Whether samples, metadata and alarm states of all channels are there."""
    return all(len(rows(server, measurement, prefix, CHANNELS)) == len(CHANNELS) for measurement in ("sample", "meta", "alarm"))


@pytest.mark.parametrize("case", ["dropped", "replaced while stopped", "made by a person"])
def test_an_emptied_archive_is_written_again(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    own_influxd: InfluxdFactory,
    prefix: str,
    case: str,
) -> None:
    """Channels whose IOCs send nothing have a value, metadata and an alarm state within a minute; gap, state and `check` tell the loss.

    Nothing delivered is kept, so that nothing is merely sent again.
    """
    ioc, server = softioc(RECORDS.format(prefix=prefix)), own_influxd()
    store = {"influxdb": {**server.settings("epics"), **({} if case == "made by a person" else {"create": "always"})}}
    made = archiver([f"{prefix}{name}" for name in CHANNELS], [ioc.port], store, more={"spool": {"keep_delivered": 0}})
    made.start(connected=len(CHANNELS))
    wait_until(lambda: is_written_again(server, prefix), 30, "the first values are stored")
    before_ns = time.time_ns()
    lose(case, made, server)
    lost_at = time.monotonic()
    wait_until(lambda: is_written_again(server, prefix), WITHIN_S, f"all is written again, log: {made.log}")
    wait_until(lambda: made.overview().store_state == "degraded", WITHIN_S, "the loss is shown")
    assert time.monotonic() - lost_at < WITHIN_S + 5
    assert "was emptied or replaced" in made.overview().store_error
    wait_until(lambda: made.history(f"{prefix}HOT").gaps("store_lost"), 30, "the gap is told")
    history = made.history(f"{prefix}HOT")
    assert {sample.value for sample in history.samples if sample.time_ns > before_ns} == {25.0}
    [gap] = history.gaps("store_lost")
    assert gap.time_ns < before_ns < (gap.end_ns or 0)
    told = made.command("check", str(made.config))
    assert told.status == 1
    assert "incidents FAULT" in told.out
    assert "store ok" in told.out
    assert made.command("check", str(made.config), "--acknowledge").status == 0
    wait_until(lambda: made.overview().store_state == "ok", 30, "all is well")
    client = ca_client([made.port])
    wait_until(lambda: client.get(f"{made.prefix}State") == RUNNING, 30, "the archiver runs")
    assert made.stop() == 0


def lose(case: str, made: Archiver, server: Influxd) -> None:
    """Lose the whole archive."""
    if case == "replaced while stopped":
        assert made.stop() == 0
        server.stop()
        for part in ("meta", "data", "wal"):
            shutil.rmtree(server.directory / part)
        server.start()
        made.launch()
        return
    server.drop_database("epics")
    if case == "made by a person":
        wait_until(lambda: made.overview().store_state == "denied", 60, "the store is denied")
        assert "was there and is gone" in made.overview().store_error
        time.sleep(3)
        with pytest.raises(RuntimeError, match="database not found"):
            server.query("SHOW RETENTION POLICIES ON epics")
        server.make_database("epics")
