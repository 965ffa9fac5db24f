"""What an operator has put over the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Override:
    """A setting that an operator has put.

    value: as text that reads back to the same value.
    file_value: what the file said at the time; when it says something else later, the override is dropped.
    """

    setting: str
    value: str
    file_value: str
