"""What of a channel lies in files of the archiver instead of the store: in the spool, or in the quarantine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from archioc.core.errors import QuarantineError, SpoolFileDamaged
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.encoding import EMBEDDED
from archioc.core.spool.encoding.columns import decode_columns
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.encoding.escaping import channel_of_line, split_lines, time_of_line
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.db.delivery.quarantine import Quarantine

MAX_FILES = 100
"""Spool files that are read for one explanation."""

SLACK_NS = 60 * 10**9
"""A sample is in no file that was written so long before its time: stamps further ahead are not believed."""

_SAMPLE_LINES = (b"sample,", b"array,")
_CODE = re.compile(rb",code=(\d+)")
_NUMBER = {name: re.compile(name + rb"=(-?\d+)i") for name in (b"count", b"end_ns")}
_TEXT = re.compile(rb',text="((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """What a spool file has of a channel. times: of its samples, ns."""

    batch_id: int
    written_ns: int
    times: tuple[int, ...]
    events: tuple[ChannelEvent, ...]


@dataclass(frozen=True, slots=True)
class QuarantinedSamples:
    """Samples of a channel that the store has refused. words: what it said."""

    batch_id: int
    times: tuple[int, ...]
    words: str


def spooled_batches(root: Path, channel: str, since_ns: int) -> list[SpooledBatch]:
    """What waits for the store of a channel, in the oldest MAX_FILES files written since a time (less SLACK_NS)."""
    if not root.is_dir():
        return []
    spool = SpoolDirectory(root)
    return list(islice(_read_all(spool, channel, since_ns - SLACK_NS), MAX_FILES))


def _read_all(spool: SpoolDirectory, channel: str, since_ns: int) -> Iterator[SpooledBatch]:
    read: set[int] = set()
    for list_entries in (spool.claimed, spool.waiting, spool.claimed):  # one may be claimed while we look
        for entry in list_entries():
            written = spool.stat(entry).modified_ns
            if entry.batch_id in read or written < since_ns:
                continue
            read.add(entry.batch_id)
            found = _read(spool, entry, channel, written)
            if found is not None:
                yield found


def _read(spool: SpoolDirectory, entry: SpoolEntry, channel: str, written_ns: int) -> SpooledBatch | None:
    try:
        times, events = _content(spool.read(entry), channel)
    except (FileNotFoundError, SpoolFileDamaged, ValueError):
        return None  # delivered while we look, or about to be set aside
    return SpooledBatch(entry.batch_id, written_ns, times, events) if times or events else None


def _content(file: SpoolFile, channel: str) -> tuple[tuple[int, ...], tuple[ChannelEvent, ...]]:
    """Times of the samples of a channel, sorted, and its events. Raises ValueError for a payload that is none."""
    if file.destination == EMBEDDED:
        batch = decode_columns(file.payload)
        rows = [row for row, name in batch.names.items() if name == channel]
        times = batch.samples["time"][batch.samples["row"] == rows[0]].tolist() if rows else []
        return tuple(sorted(times)), tuple(event for event in batch.events if event.channel == channel)
    lines = [line for line in split_lines(decompress(file.payload)) if channel_of_line(line) == channel]
    samples = sorted(time_of_line(line) for line in lines if line.startswith(_SAMPLE_LINES))
    return tuple(samples), tuple(event_of_line(line, channel) for line in lines if line.startswith(b"event,"))


def event_of_line(line: bytes, channel: str) -> ChannelEvent:
    """The event in a line of line protocol of ours. Raises ValueError when it is none."""
    code = _CODE.search(line)
    if code is None:
        raise ValueError(f"no event: {line[:80]!r}")
    text = _TEXT.search(line)
    plain = _TEXT.sub(b"", line)  # a text may look like a field
    count, end = (pattern.search(plain) for pattern in _NUMBER.values())
    return ChannelEvent(
        channel,
        time_of_line(line),
        Reason(int(code[1])),
        end_ns=int(end[1]) if end else None,
        count=int(count[1]) if count else 0,
        text=re.sub(r"\\(.)", r"\1", text[1].decode(errors="replace")) if text else "",
    )


def quarantined_samples(root: Path, channel: str) -> list[QuarantinedSamples]:
    """What the store has refused of a channel and is kept; nothing of a store without line protocol."""
    quarantine = Quarantine(root)
    found = []
    for path in (*quarantine.entries(), *quarantine.waiting()):
        try:
            entry = quarantine.read(path)
        except (FileNotFoundError, QuarantineError):
            continue  # sent while we look; `archioc quarantine list` tells of damaged ones
        lines = [line for line in entry.lines() if line.startswith(_SAMPLE_LINES) and channel_of_line(line) == channel]
        if lines:
            words = "; ".join(dict.fromkeys(" ".join(one.message.split()) for one in entry.refusals))
            found.append(QuarantinedSamples(entry.batch_id, tuple(sorted(map(time_of_line, lines))), words))
    return found
