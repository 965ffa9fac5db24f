"""Numbers put to an array of characters."""

from __future__ import annotations

import numpy as np
import pytest

from archioc.ioc.ca.character_codes import text_of_codes
from archioc.ioc.ca.put_value import PutUnreadable, read_put, shown_put
from tests.processes import raw_frames as frames

TEXTS = [
    ([86, 65, 67, 0], "VAC"),
    ([86, 65, 67], "VAC"),
    ([86, 0, 67, 0], "V"),
    ([0], ""),
    ([], ""),
    ([10, 9], "\n\t"),
    ([*"µ€".encode()], "µ€"),
    ([byte - 256 if byte > 127 else byte for byte in "é".encode()], "é"),
    ([0xB5, 0x6D], "µm"),
    ([0xB5, 0x20AC], "µ€"),
    ([0xD83D, 0xDE00], "\U0001f600"),
    ([0x1F600], "\U0001f600"),
    ([-1], "ÿ"),
    ([65, 0, -1000], "A"),
]
"""Codes and the text that they mean: UTF-8, else Latin-1, where none is above 255; characters or UTF-16 units otherwise."""


@pytest.mark.parametrize(("codes", "text"), TEXTS)
def test_codes_are_a_text(codes: list[float], text: str) -> None:
    """Each list of codes is the text that its writer means."""
    assert text_of_codes(np.array(codes, float)) == text


@pytest.mark.parametrize("data_type", [frames.INT, frames.FLOAT, frames.ENUM, frames.LONG, frames.DOUBLE])
def test_every_numeric_type_carries_a_text(data_type: int) -> None:
    """A text in any numeric type is a text where an array of characters is put to, in the audit too, and numbers elsewhere."""
    codes = [float(code) for code in b"SR:NEW rate=3\0\0"]
    payload = frames.encoded(codes, data_type)
    assert read_put(data_type, len(codes), payload, as_text=True).text(100) == "SR:NEW rate=3"
    assert shown_put(data_type, len(codes), payload, as_text=True) == "SR:NEW rate=3"
    assert read_put(data_type, len(codes), payload).items == tuple(codes)


@pytest.mark.parametrize("code", [float("nan"), float("inf"), float("-inf"), 65.5, -129, 0x110000, 1e300])
def test_what_is_no_character_is_refused(code: float) -> None:
    """A number that is no code of a character is refused, with its place and the rule."""
    with pytest.raises(PutUnreadable, match=r"element 2 is .*: must be the code of a character, a whole number from -128 to 1114111"):
        read_put(frames.DOUBLE, 3, frames.encoded([65, code, 66], frames.DOUBLE), as_text=True)


@pytest.mark.parametrize("codes", [[0xD83D], [0xDE00, 0xD83D], [0xD83D, 65]])
def test_half_of_a_character_is_refused(codes: list[float]) -> None:
    """A surrogate without its other half is refused: no store can keep it."""
    with pytest.raises(PutUnreadable, match="surrogate stands alone"):
        read_put(frames.LONG, len(codes), frames.encoded(codes, frames.LONG), as_text=True)


def test_the_limit_counts_bytes_of_the_text() -> None:
    """A long array with a short text fits; a text whose UTF-8 is too long does not, however few its codes are."""
    zeros = frames.encoded([65, *[0] * 5000], frames.LONG)
    assert read_put(frames.LONG, 5001, zeros, as_text=True).text(1) == "A"
    three = read_put(frames.LONG, 2, frames.encoded([0x20AC, 0x20AC], frames.LONG), as_text=True)
    with pytest.raises(Exception, match="longer than 5 bytes"):
        three.text(5)
