"""Updates that the settings of a channel leave out: no event tells of each, settings and counters do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from archioc.cli.explain.evidence import Evidence
from archioc.cli.explain.verdict import Cause
from archioc.core.channel import ChannelSettings, Mode
from archioc.core.timestamp import SECOND, format_span

INTERVAL_SLACK_S = 0.3
"""A value withheld by a rate is written when its interval ends, so that no longer hole is of it; this is for the IOC's own period."""


def filter_causes(evidence: Evidence) -> Iterator[Cause]:
    """The rate where the hole is not longer than its interval, the dead band where the channel has one."""
    settings, channel = evidence.settings, evidence.live.channel
    if settings is None or channel is None or not (channel.filtered or channel.withheld) or evidence.t_ns > evidence.now_ns:
        return
    low, high = evidence.hole
    if not low:
        return
    if settings.rate and (high - low) / SECOND <= 1 / settings.rate + INTERVAL_SLACK_S:
        yield Cause("rate_limit", _rate_text(settings), certain=False, start_ns=low, end_ns=high)
    if settings.deadband or settings.deadband_pct:
        newer = evidence.stored.after is None and channel.received_ns > low and channel.time_ns > low
        yield Cause("dead_band", _band_text(evidence, settings), certain=newer and not channel.withheld, start_ns=low, end_ns=high)


def _rate_text(settings: ChannelSettings) -> str:
    if settings.mode is Mode.SCAN:
        return f"mode scan at {settings.rate:g} Hz: only the newest value of each {format_span(1 / settings.rate)} is stored"
    return f"rate {settings.rate:g} Hz: one value in {format_span(1 / settings.rate)} is stored, the newest"


def _band_text(evidence: Evidence, settings: ChannelSettings) -> str:
    before, channel = evidence.stored.before, evidence.live.channel
    bands = [f"deadband {settings.deadband:g}"] * bool(settings.deadband)
    bands += [f"deadband_pct {settings.deadband_pct:g}"] * bool(settings.deadband_pct)
    text = f"{' and '.join(bands)}: values that differ by no more from the last archived one are left out"
    if evidence.stored.after is None and before is not None and channel is not None and math.isfinite(channel.value):
        text += f"; the newest is {channel.value:.8g}, the archived one {float(before.value[0]):.8g}"
    return f"{text}; {channel.filtered if channel else 0} updates of the channel were left out since its counters began"
