"""What became of a spool file, from the lines that the server has refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archioc.core.spool.encoding.escaping import channel_of_line
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.bisection import Lines, Verdict
from archioc.db.rejections import ADVICE, BEYOND, OUTSIDE, rejection_events
from archioc.db.store import Refusal, WriteOutcome, rows_of_samples


def outcome_of(file: SpoolFile, lines: Lines, verdict: Verdict, at_ns: int) -> WriteOutcome:
    """What became of a file. at_ns: time of the events that tell of refusals."""
    if not (verdict.too_old or verdict.refused):
        return WriteOutcome.all_stored(file)
    entries = rows_of_samples(file)
    beyond, kept = (_count(entries, which, len(file.counts)) for which in (verdict.too_old, verdict.refused))
    refusals = _refusals(lines.lines, verdict)
    words = refusals[0].message if refusals else ""
    present, first = np.unique(entries, return_index=True)
    channels = {entry: channel_of_line(lines.lines[at]) for entry, at in zip(present.tolist(), first.tolist(), strict=True)}
    outside = f"{len(verdict.outside)} lines are {OUTSIDE}: {ADVICE}" if verdict.outside else ""
    remark = "; ".join(filter(None, (outside or words, f"{beyond.sum()} samples are {BEYOND}" if beyond.any() else "")))
    why = OUTSIDE if verdict.outside and len(verdict.outside) == len(verdict.refused) else words
    events = tuple(rejection_events(channels, beyond + kept, beyond, at_ns, why))
    return WriteOutcome(beyond + kept, kept, refusals, events, remark)


def _count(entries: npt.NDArray[np.intp], lines: Sequence[int] | dict[int, str], length: int) -> npt.NDArray[np.int64]:
    """How many of these lines are samples of each entry of the counts; metadata and events follow the samples."""
    which = np.fromiter(lines, np.intp, len(lines))
    return np.bincount(entries[which[which < len(entries)]], minlength=length).astype(np.int64)


def _refusals(lines: Sequence[bytes], verdict: Verdict) -> tuple[Refusal, ...]:
    """Refused lines in their order, those that stand together with the same words as one."""
    found: list[tuple[list[bytes], str]] = []
    last = -2
    for at, words in sorted(verdict.refused.items()):
        if not found or at != last + 1 or found[-1][1] != words:
            found.append(([], words))
        found[-1][0].append(lines[at])
        last = at
    return tuple(Refusal(b"\n".join(group), words) for group, words in found)
