"""Durations as servers written in Go tell them."""

from __future__ import annotations

import re

_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|ns|h|m|s)")


def go_duration(text: str) -> float:
    """Seconds in a duration such as `168h0m0s`; 0 from anything else."""
    if not re.fullmatch(f"({_PART.pattern})+", text):
        return 0.0
    return sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(text))
