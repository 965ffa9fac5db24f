"""`archioc store delete` and `prune`."""

from __future__ import annotations

import getpass
import socket
import time
from pathlib import Path

import typer

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.config.file import load_config
from archioc.core.errors import UsageError
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
    with open_for_change(load_config(path)) as store:
        count = sum(store.erase(erasure, None))
        whose = f"of {channel}" if channel is not None else "of all channels"
        say(f"{count} samples {whose} from {format_utc(erasure.start_ns)} to {format_utc(erasure.end_ns)}")
        if dry:
            return True
        if not count:
            say("nothing is deleted")
            return True
        if not sure and not typer.confirm("Delete them for good?"):
            say("nothing is deleted")
            return False
        order = erasure.audited(count, time.time_ns(), getpass.getuser(), socket.gethostname())
        say(f"{sum(store.erase(erasure, order))} samples are deleted")
    return True
