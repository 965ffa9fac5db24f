"""`python -m bench.naive_client PARENT SECONDS NAME...`: the yardstick, what a first script of one's own would do.

One pyepics PV a channel, whose callback appends to a list. Writes one line of JSON: updates received
and processor seconds spent in SECONDS, counted from when all channels are connected.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import epics

from archioc.core.process import stop_with_parent

CONNECT_S = 20.0
SETTLE_S = 2.0


def main(parent: int, seconds: float, names: list[str]) -> None:
    stop_with_parent(parent)
    updates: list[tuple[str, float, float]] = []

    def on_update(pvname: str, value: float, timestamp: float, **_: Any) -> None:
        updates.append((pvname, timestamp, value))

    channels = [epics.PV(name, callback=on_update, auto_monitor=True) for name in names]
    deadline = time.monotonic() + CONNECT_S
    while not all(channel.connected for channel in channels):
        if time.monotonic() > deadline:
            sys.exit("not all channels have connected")
        epics.poll(0.05)
    time.sleep(SETTLE_S)
    received, spent = len(updates), time.process_time()
    time.sleep(seconds)
    answer = {"updates": len(updates) - received, "cpu_s": time.process_time() - spent}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
