"""Numbers with alarm and time, encoded without caproto."""

from __future__ import annotations

import asyncio

import pytest
from caproto import ChannelType
from caproto._commands import data_payload
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.dbr import EPICS_EPOCH_S, Dbr, Severity, Status
from archioc.ioc.ca.pv import PV, PvSpec, Value
from archioc.ioc.ca.timed_number import timed_number

SPECS = {
    ChannelType.TIME_DOUBLE: PvSpec(Dbr.DOUBLE, "a number"),
    ChannelType.TIME_LONG: PvSpec(Dbr.LONG, "a whole number"),
    ChannelType.TIME_ENUM: PvSpec(Dbr.ENUM, "a state", labels=("Off", "On", "Away")),
}
numbers = st.one_of(
    st.tuples(st.just(ChannelType.TIME_DOUBLE), st.floats(width=64)),
    st.tuples(st.just(ChannelType.TIME_LONG), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(ChannelType.TIME_ENUM), st.integers(0, 2)),
)


@given(numbers, st.sampled_from(list(Status)), st.sampled_from(list(Severity)), st.integers(0, 2**32 * 10**9 - 1))
def test_same_bytes_as_by_caproto(number: tuple[ChannelType, Value], status: Status, severity: Severity, since_ns: int) -> None:
    """What a PV sends of a number in its own type is what caproto makes of value, alarm and time, byte for byte."""
    data_type, value = number
    spec = SPECS[data_type]

    async def both() -> tuple[bytes, bytes]:
        pv = PV("A:B", spec)
        await pv.show(value, alarm=(status, severity), time_ns=since_ns + EPICS_EPOCH_S * 10**9)
        metadata, values = await pv.data.read(data_type)
        _, *parts = data_payload(values, metadata, data_type, 1)
        return (await pv.encoded(data_type, 1, long_string=False))[1], b"".join(map(bytes, parts))

    ours, theirs = asyncio.run(both())
    assert timed_number(spec.dbr, data_type, value, (status, severity), divmod(since_ns, 10**9)) == ours
    assert ours == theirs


@pytest.mark.parametrize(
    ("data_type", "dbr", "value"),
    [
        (ChannelType.TIME_LONG, Dbr.LONG, 2**31),
        (ChannelType.TIME_LONG, Dbr.LONG, -(2**31) - 1),
        (ChannelType.TIME_ENUM, Dbr.ENUM, 2**16),
        (ChannelType.TIME_ENUM, Dbr.ENUM, -1),
        (ChannelType.TIME_LONG, Dbr.LONG, None),
        (ChannelType.TIME_LONG, Dbr.DOUBLE, 1.0),
        (ChannelType.DOUBLE, Dbr.DOUBLE, 1.0),
        (ChannelType.TIME_STRING, Dbr.STRING, "1"),
    ],
)
def test_what_is_left_to_caproto(data_type: ChannelType, dbr: Dbr, value: object) -> None:
    """A number that the type cannot hold, another type, and no value yet are left to caproto, which converts or refuses."""
    assert timed_number(dbr, data_type, value, (Status.NO_ALARM, Severity.NO_ALARM), (0, 0)) is None
