"""Values of samples as the command line writes them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from archioc.core.spool.batch import SampleFlag
from archioc.db.sample_columns import SampleColumns

SHOWN_ELEMENTS = 6
"""Elements of an array that are shown to people."""


def exact(number: float) -> float | int | str:
    """A number for JSON and CSV: whole ones without a fraction, NaN and infinities as words."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) < 2**53 and not (number == 0 and math.copysign(1, number) < 0) else number


def plain_value(chunk: SampleColumns, at: int) -> Any:
    """The value of one sample: number or enum index, text, list of elements, or statistics of elements that were not kept."""
    array = chunk.arrays[at]
    reduced = chunk.reduced[at]
    if reduced is not None:
        return {name: exact(float(number)) for name, number in asdict(reduced).items()}
    if array is not None:
        if array.dtype.kind == "S":
            return [element.decode("utf-8", "replace") for element in array.tolist()]
        return [exact(float(element)) for element in array.tolist()]
    text = chunk.text[at]
    number = float(chunk.value[at])
    return text if text is not None and math.isnan(number) else exact(number)


def label_of(chunk: SampleColumns, at: int) -> str:
    """The enum label that was stored with a sample, empty where there is none."""
    text = chunk.text[at]
    return text if text is not None and not math.isnan(float(chunk.value[at])) else ""


def flag_words(flags: int) -> str:
    """Names of a sample's flags, such as `generated`."""
    return "|".join(flag.name.lower() for flag in SampleFlag if flags & flag and flag.name)


def shown_value(chunk: SampleColumns, at: int) -> str:
    """The value of one sample for people: long arrays cut short, with the label of an enum."""
    value = plain_value(chunk, at)
    shown = short_list(value) if isinstance(value, list) else statistics_text(value) if isinstance(value, dict) else str(value)
    label = label_of(chunk, at)
    return f"{shown} ({label})" if label else shown


def statistics_text(found: dict[str, object]) -> str:
    shown = (f"{number:.6g}" if isinstance(number, float) else number for number in found.values())
    return "[" + ", ".join(f"{name} {number}" for name, number in zip(found, shown, strict=True)) + "]"


def short_list(elements: list[object]) -> str:
    head = ", ".join(f"{element:.6g}" if isinstance(element, float) else str(element) for element in elements[:SHOWN_ELEMENTS])
    return f"[{head}]" if len(elements) <= SHOWN_ELEMENTS else f"[{head}, ... {len(elements)} elements]"
