"""`python -m bench.naive_client PARENT SECONDS URL NAME...`: the yardstick, what a first script of one's own would do.

One pyepics PV a channel, whose callback hands a Point to influxdb-client, batching as its README shows. URL `-`: the callback
appends to a list, so that only what receiving costs is measured. Writes one line of JSON: updates received and processor seconds
spent in SECONDS, counted from when all channels are connected.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import epics
import influxdb_client

from archioc.core.process import stop_with_parent

CONNECT_S = 20.0
SETTLE_S = 2.0
influx: Any = influxdb_client
"""Its functions have no types."""
README_BATCHING = influx.WriteOptions(
    batch_size=500,
    flush_interval=10_000,
    jitter_interval=2_000,
    retry_interval=5_000,
    max_retries=5,
    max_retry_delay=30_000,
    exponential_base=2,
)

Update = tuple[str, float, float]
"""Name, time stamp (s), value."""


def main(parent: int, seconds: float, url: str, names: list[str]) -> None:
    stop_with_parent(parent)
    if url == "-":
        updates: list[Update] = []
        _measure(seconds, names, updates.append)
        return
    with influx.InfluxDBClient(url=url, token="none", org="none") as client, client.write_api(write_options=README_BATCHING) as write_api:  # noqa: S106 - the sink asks for none

        def write(update: Update) -> None:
            name, stamp, value = update
            write_api.write("bench", "none", influx.Point("sample").tag("pv", name).field("value", value).time(int(stamp * 1e9)))

        _measure(seconds, names, write)


def _measure(seconds: float, names: list[str], take: Callable[[Update], object]) -> None:
    received = 0

    def on_update(pvname: str, value: float, timestamp: float, **_: Any) -> None:
        nonlocal received
        received += 1
        take((pvname, timestamp, value))

    channels = [epics.PV(name, callback=on_update, auto_monitor=True) for name in names]
    deadline = time.monotonic() + CONNECT_S
    while not all(channel.connected for channel in channels):
        if time.monotonic() > deadline:
            sys.exit("not all channels have connected")
        epics.poll(0.05)
    time.sleep(SETTLE_S)
    before, spent = received, time.process_time()
    time.sleep(seconds)
    answer = {"updates": received - before, "cpu_s": time.process_time() - spent}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # not in order: updates still come, and the batches behind would have to be written first


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])
