"""Beacons: tell clients that wait for a PV that this server has started and lives."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import structlog

from archioc.ioc.ca.messages import beacon

FIRST_PERIOD_S = 0.02
LONGEST_PERIOD_S = 15.0
"""As the CA protocol specification recommends: quick after the start, then every 15 s."""

BEACON_PORT = 5065

log = structlog.get_logger()


async def send_beacons(addresses: Sequence[str], tcp_port: int) -> None:
    """Send beacons to `host` or `host:port` until cancelled; an address that fails is told once until it works again."""
    if not addresses:
        return
    targets = [(host, int(port or BEACON_PORT)) for host, _, port in (address.partition(":") for address in addresses)]
    failing: set[tuple[str, int]] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.setblocking(False)
        period, count = FIRST_PERIOD_S, 0
        loop = asyncio.get_running_loop()
        while True:
            for target in targets:
                try:
                    await loop.sock_sendto(sender, beacon(tcp_port, count), target)
                    failing.discard(target)
                except OSError as error:
                    if target not in failing:
                        log.warning("beacon_failed", address=f"{target[0]}:{target[1]}", error=error.strerror)
                    failing.add(target)
            count += 1
            await asyncio.sleep(period)
            period = min(period * 2, LONGEST_PERIOD_S)
