"""`archioc spool resend` and `readdress`: what the db process is asked to do, now or at its next start."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.errors import SpoolError, SpoolFileDamaged
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.delivered import DeliveredBatches, Keeping
from archioc.core.spool.encoding import EMBEDDED, destination_of
from archioc.core.spool.resend_request import ResendRequest
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.timestamp import format_utc, parse_time


def resend(path: Path, since: str) -> None:
    """Ask for what was delivered since a time. Raises ConfigError, TimeFormatError, SpoolError, OSError."""
    config = load_config(path)
    spool = _spool_of(Directories(config.archiver.state_dir))
    if destination_of(config.store) == EMBEDDED:
        raise SpoolError("the embedded store keeps what it has acknowledged: batches are kept for an InfluxDB only")
    since_ns = parse_time(since, time.time_ns())
    kept = [batch for batch in DeliveredBatches(spool, Keeping.of(config.spool)).batches() if batch.delivered_ns >= since_ns]
    if not kept:
        raise SpoolError(f"{spool.root}: nothing is kept that was delivered since {format_utc(since_ns)} (spool.keep_delivered)")
    ResendRequest(spool).ask(since_ns)
    samples = sum(batch.samples for batch in kept)
    sys.stdout.write(f"{len(kept)} batches, {samples} samples, delivered since {format_utc(kept[0].delivered_ns)}, are sent again\n")


def readdress(path: Path, earlier: Sequence[str]) -> None:
    """Have what waits for other addresses sent to the configured store. Raises ConfigError, SpoolError, OSError."""
    config = load_config(path)
    spool, ours = _spool_of(Directories(config.archiver.state_dir)), destination_of(config.store)
    waiting: dict[str, int] = {}
    for destination in _destinations(spool):
        if destination != ours and (not earlier or destination in earlier):
            waiting[destination] = waiting.get(destination, 0) + 1
    if not waiting:
        raise SpoolError(f"{spool.root}: no batch waits for {' or '.join(earlier) or 'another store'}")
    Addresses(spool).readdress(set(waiting), ours)
    sys.stdout.writelines(f"{number} batches for {destination} go to {ours}\n" for destination, number in sorted(waiting.items()))


def _destinations(spool: SpoolDirectory) -> Iterator[str]:
    for entry in (*spool.waiting(), *spool.claimed()):
        try:
            yield spool.read(entry).destination
        except (FileNotFoundError, SpoolFileDamaged):
            continue  # sent while we look, or about to be set aside


def _spool_of(directories: Directories) -> SpoolDirectory:
    if not directories.spool.is_dir():
        raise SpoolError(f"{directories.spool}: there is no spool; no archiver has run with this configuration")
    return SpoolDirectory(directories.spool)
