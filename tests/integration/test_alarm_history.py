from __future__ import annotations

import json
import time

from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory

RECORDS = """
record(ao, "{prefix}NOISY") {{ field(HIGH, "10") field(HSV, "MINOR") field(HIHI, "20") field(HHSV, "MAJOR") field(PINI, "YES") }}
record(ao, "{prefix}QUIET") {{ field(PINI, "YES") }}
"""


def test_history_of_alarms(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """What a record did, alarm by alarm, although the dead band let none of its values pass; a channel without alarms is left out."""
    ioc = softioc(RECORDS.format(prefix=prefix))
    noisy, quiet = f"{prefix}NOISY", f"{prefix}QUIET"
    made = archiver([{"pv": noisy, "deadband": 1000.0}, quiet], [ioc.port])
    made.start(connected=2)
    for name in (noisy, quiet):
        made.wait_for_samples(name, 0)
    client = ca_client([ioc.port])
    since, begun = time.time_ns(), time.monotonic()
    for value in (0, 15, 0, 25, 0, 15, 25, 0):
        client.put(noisy, value)
        time.sleep(0.2)
    took = time.monotonic() - begun
    client.put(quiet, 5)
    made.wait_for_samples(quiet, since)
    assert made.stop() == 0
    done = made.command("alarms", "history", "*", "--config", str(made.config), "--format", "json")
    assert done.status == 0, done.err
    (line,) = json.loads(done.out)["channels"]
    assert (line["channel"], line["raised"], line["transitions"], line["chattering"]) == (noisy, 3, 7, True)
    assert 0.3 < line["minor_s"] < took
    assert 0.3 < line["major_s"] < took
    done = made.command("alarms", "history", noisy, "--transitions", "--config", str(made.config), "--format", "json")
    told = [json.loads(text) for text in done.out.splitlines()]
    assert [one["severity"] for one in told][-7:] == ["MINOR", "NO_ALARM", "MAJOR", "NO_ALARM", "MINOR", "MAJOR", "NO_ALARM"]
    assert {one["status"] for one in told} == {"NO_ALARM", "HIGH", "HIHI"}
    table = made.command("alarms", "history", "*", "--config", str(made.config))
    assert noisy in table.out
    assert quiet not in table.out
