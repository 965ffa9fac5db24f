"""What stands in a line of the raw format in place of some bytes, and numbers of any length.

In a line the bytes 1B, 0A and 0D are escaped as 1B 01, 1B 02 and 1B 03.
"""

from __future__ import annotations

ESCAPES = {0x1B: 1, 0x0A: 2, 0x0D: 3}
"""Bytes that are escaped, and what follows 1B then."""

UNCHANGED = b"\x40\x00"
"""`fieldactualchange` false, which says nothing."""

STRIPPED = b"\t\x0b\x0c "
"""Some clients strip white space from a line before they look at it: a sample must not end with any of these."""


def escape(message: bytes) -> bytes:
    """A message as it stands in a line."""
    return message.replace(b"\x1b", b"\x1b\x01").replace(b"\n", b"\x1b\x02").replace(b"\r", b"\x1b\x03")


def varint(number: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
