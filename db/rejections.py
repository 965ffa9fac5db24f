"""Events that tell of samples which the store has refused for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason

BEYOND = "beyond the retention of the store"

OUTSIDE = "outside the write window of the store"

ADVICE = "widen PAST LIMIT and FUTURE LIMIT of its retention policy, then `archioc quarantine retry --all`"

_LONGEST_TEXT = 200


def rejection_events(
    channels: Mapping[int, str], rejected: npt.NDArray[np.int64], beyond: npt.NDArray[np.int64], at_ns: int, words: str
) -> Iterator[ChannelEvent]:
    """An event for each channel with rejected samples.

    rejected, beyond: for each entry of the counts of a spool file how many samples were rejected, and
        how many of those because they are beyond the retention. channels: the channels of the entries.
    at_ns: time of the events. With the time of the commit, a file that is sent again tells the same events.
    words: what the store said of the others.
    """
    for at in np.flatnonzero(rejected).tolist():
        refused = int(rejected[at] - beyond[at])
        parts = [f"{int(beyond[at])} {BEYOND}"] if beyond[at] else []
        parts += [f"{refused} refused: {' '.join(words.split())}"] if refused else []
        yield ChannelEvent(channels[at], at_ns, Reason.REJECTED, count=int(rejected[at]), text="; ".join(parts)[:_LONGEST_TEXT])
