"""`archioc store delete` and `prune`."""

from __future__ import annotations

import getpass
import socket
import time
from pathlib import Path

import typer

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.errors import UsageError
from archioc.core.spool.delivered import NEAR_NS, DeliveredBatches, Keeping
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.timestamp import format_utc, parse_time
from archioc.db.erasure import Erasure
from archioc.open_archive import open_for_change


def erase(path: Path, channel: str | None, start: str, end: str, *, dry: bool, sure: bool) -> bool:
    """Count what is meant, ask unless sure, and delete it; whether that was done, or only to be counted.

    channel: None for all, then without a start. Raises ConfigError, TimeFormatError, UsageError, StoreError.
    """
    now_ns = time.time_ns()
    last_ns = parse_time(end, now_ns) - (channel is None)
    erasure = Erasure(channel, parse_time(start, now_ns) if channel is not None else 0, last_ns)
    if not 0 <= erasure.start_ns <= erasure.end_ns:
        raise UsageError(f"the span ends ({format_utc(erasure.end_ns)}) before it begins ({format_utc(erasure.start_ns)})")
    say = TerminalConsole(highlight=False, soft_wrap=True, emoji=False, markup=False).print
    config = load_config(path)
    with open_for_change(config) as store:
        count = sum(store.erase(erasure, None))
        whose = f"of {channel}" if channel is not None else "of all channels"
        say(f"{count} samples {whose} from {format_utc(erasure.start_ns)} to {format_utc(erasure.end_ns)}")
        if dry:
            return True
        _refuse_kept(config, erasure)
        if not count:
            say("nothing is deleted")
            return True
        if not sure and not typer.confirm("Delete them for good?"):
            say("nothing is deleted")
            return False
        order = erasure.audited(count, time.time_ns(), getpass.getuser(), socket.gethostname())
        say(f"{sum(store.erase(erasure, order))} samples are deleted")
    return True


def _refuse_kept(config: Config, erasure: Erasure) -> None:
    """Raise UsageError for samples that would be sent again: batches that an InfluxDB acknowledged are kept for a while, and compared."""
    if config.store.influxdb is None:
        return
    spool = SpoolDirectory(Directories(config.archiver.state_dir).spool)
    oldest_ns = min(
        (min(batch.delivered_ns, batch.batch_id) for batch in DeliveredBatches(spool, Keeping.of(config.spool)).batches()), default=None
    )
    if oldest_ns is not None and erasure.end_ns >= oldest_ns - NEAR_NS:
        raise UsageError(
            f"what was delivered since {format_utc(oldest_ns)} is kept to be sent again where the database loses it "
            f"(spool.keep_delivered): delete samples of before {format_utc(oldest_ns - NEAR_NS)} now, and later ones in "
            f"{config.spool.keep_delivered:g} s"
        )
