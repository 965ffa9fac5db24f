from __future__ import annotations

import struct

import pytest
from caproto import ChannelType

from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import PutValue, read_put
from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import KEPT_ENTRIES, MAX_TEXT, AuditEntry


@pytest.mark.parametrize(
    ("data_type", "count", "payload", "expected"),
    [
        (ChannelType.DOUBLE, 1, struct.pack(">d", 1.5), (1.5,)),
        (ChannelType.LONG, 1, struct.pack(">i", 3), (3.0,)),
        (ChannelType.STRING, 1, b"10Hz\0\0\0", ("10Hz",)),
        (ChannelType.STRING, 2, b"A".ljust(40, b"\0") + b"B".ljust(40, b"\0"), ("A", "B")),
        (ChannelType.CHAR, 4, b"A\0\0\0", ("A",)),
        (ChannelType.CHAR, 12, "Ströme\0rest".encode(), ("Ströme",)),
    ],
)
def test_put_is_read_whatever_its_type(data_type: ChannelType, count: int, payload: bytes, expected: tuple[object, ...]) -> None:
    """Numbers stay numbers, strings and characters become text up to the first NUL."""
    assert read_put(data_type, count, payload).items == expected


def test_text_that_is_not_utf8_is_refused() -> None:
    """Bytes that are no UTF-8 are refused rather than archived as something else."""
    with pytest.raises(CommandRefused, match="not UTF-8"):
        read_put(ChannelType.CHAR, 2, b"\xff\xfe")


@pytest.mark.parametrize(("item", "index"), [(1.0, 1), ("Scan", 1), ("scan", 1), ("0", 0)])
def test_enum_is_put_by_number_or_label(item: float | str, index: int) -> None:
    """An enum takes its index, its label in any case, and the index as text."""
    assert PutValue((item,)).choice(("Monitor", "Scan")) == index


@pytest.mark.parametrize("item", [2.0, -1.0, 0.5, "Sometimes", "", float("nan")])
def test_enum_refuses_what_is_no_state(item: float | str) -> None:
    """Anything else is refused with the states there are."""
    with pytest.raises(CommandRefused, match="must be one of 0 Monitor, 1 Scan"):
        PutValue((item,)).choice(("Monitor", "Scan"))


def test_numbers_are_no_text_and_lists_no_scalar() -> None:
    """A number for a command, too long a text and an array for a single value are refused with the rule."""
    with pytest.raises(CommandRefused, match="must be text"):
        PutValue((1.0, 2.0)).text(100)
    with pytest.raises(CommandRefused, match="longer than 3 bytes"):
        PutValue(("äö",)).text(3)
    with pytest.raises(CommandRefused, match="must be one value, not 2"):
        PutValue((1.0, 2.0)).scalar()


def test_audit_text_is_bounded() -> None:
    """A put of any length takes bounded room in the audit, and the audit itself is bounded."""
    columns = AuditEntry(1, Peer("127.0.0.1", 1), "PV", "o" * 5000, "n" * 5000, "r" * 5000).columns()
    assert [len(str(column)) for column in columns[5:]] == [MAX_TEXT] * 3
    assert KEPT_ENTRIES == 100_000
