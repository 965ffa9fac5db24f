"""What the engine tells of the groups: whether their conditions hold, and whether their channels are archived."""

from __future__ import annotations

import zlib
from enum import IntEnum

import numpy as np


class ConditionState(IntEnum):
    """What is known of the condition of a group (the order is that of the enum PV `ConditionState`)."""

    NONE = 0
    """It has no condition."""
    UNKNOWN = 1
    """Its PV is not connected, or its value is INVALID: what was last known is kept; what was never known holds."""
    HOLDS = 2
    FAILS = 3


GROUP_STATUS = np.dtype(
    [
        ("identity", "<u4"),  # of the group and the condition that the rest speaks of
        ("state", "u1"),  # ConditionState
        ("on", "u1"),  # 1: its channels are archived
        ("held", "u1"),  # 1: the condition holds, or held when it was last known, or has never been known
        ("pad", "V1"),
    ]
)


def identity(name: str, condition: str) -> int:
    """What tells a group with this condition from others that have had its number."""
    return zlib.crc32(f"{name}\n{condition}".encode()) or 1


def why_off(name: str, condition: str, *, enable: bool, state: ConditionState) -> str:
    """Why the channels of a group that is off are not archived, in words."""
    if not enable:
        return f"group {name}: switched off by Enable"
    if state is ConditionState.UNKNOWN:
        return f"group {name}: {condition} did not hold when last known"
    return f"group {name}: {condition} does not hold"
