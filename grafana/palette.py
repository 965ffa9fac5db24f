"""Colours and words of states. A colour never stands alone: the word is there as well."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsConfig, ThresholdsMode, ValueMap, ValueMappingResult

GREEN, YELLOW, RED, MAGENTA, GREY, BLUE = "#2ca02c", "#e6b800", "#d62728", "#d633d6", "#8c8c8c", "#3274d9"

SEVERITIES = (("NO_ALARM", GREEN), ("MINOR", YELLOW), ("MAJOR", RED), ("INVALID", MAGENTA))
"""By number (alarm.h), in the colours of EPICS screens."""

STORE_STATES = (("Unknown", GREY), ("OK", GREEN), ("Unreachable", RED), ("Denied", RED), ("Rejecting", YELLOW), ("Degraded", YELLOW))
"""As the field `store_state` of the measurement `archiver` numbers them."""

CLOCK = (("good", GREEN), ("suspect", RED))
"""Field `clock_suspect`."""


def words(states: tuple[tuple[str, str], ...]) -> ValueMap:
    """Numbers shown as words in their colour."""
    return ValueMap({str(number): ValueMappingResult(text=word, color=color, index=number) for number, (word, color) in enumerate(states)})


def limits(*steps: tuple[float, str]) -> ThresholdsConfig:
    """Green, and from each of these values on another colour."""
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, [Threshold(None, GREEN), *(Threshold(value, color) for value, color in steps)])


def low_limits(minor: float, good: float) -> ThresholdsConfig:
    """Red below `minor`, yellow below `good`, else green."""
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, [Threshold(None, RED), Threshold(minor, YELLOW), Threshold(good, GREEN)])
