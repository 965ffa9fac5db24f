"""What an IOC tells about a channel: DBR_CTRL_x decoded (layouts of `db_access.h`)."""

from __future__ import annotations

import math
import sys
from functools import lru_cache

import numpy as np

from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.spool.batch import ChannelMeta, decode_text

_LIMITS_AT = {Dbr.SHORT: (12, "<i2"), Dbr.FLOAT: (16, "<f4"), Dbr.CHAR: (12, "u1"), Dbr.LONG: (12, "<i4"), Dbr.DOUBLE: (16, "<f8")}
"""Where the eight limits begin and their type."""
_LIMITS = 8

_LABEL_BYTES = 26
_MAX_LABELS = 16

CTRL_BYTES = (4, 28, 48, 422, 21, 44, 80)
"""Bytes of DBR_CTRL_x before its value, by native type: what the callbacks keep of it."""


def decode_metadata(channel: str, time_ns: int, host: str, count: int, dbr: int, raw: bytes) -> ChannelMeta:
    """Metadata from the bytes of a DBR_CTRL_x before its value; limits that are NaN or without meaning are left out.

    Raises ValueError where it is another number of bytes than the type has.
    """
    native, host = Dbr(dbr - DBR_CTRL_OFFSET), sys.intern(host)
    if len(raw) != CTRL_BYTES[native]:
        raise ValueError(f"{channel}: {len(raw)} bytes of metadata, DBR_CTRL_{native.name} has {CTRL_BYTES[native]}")
    if native is Dbr.STRING:
        return ChannelMeta(channel, time_ns, native, count, host)
    if native is Dbr.ENUM:
        return ChannelMeta(channel, time_ns, native, count, host, labels=tuple(map(decode_text, decode_labels(raw))))
    precision = None
    units_at = 4
    if native in (Dbr.FLOAT, Dbr.DOUBLE):
        precision = int.from_bytes(raw[4:6], "little", signed=True)
        units_at = 8
    units = sys.intern(_text(raw[units_at : units_at + 8]))
    at, dtype = _LIMITS_AT[native]
    size = _LIMITS * np.dtype(dtype).itemsize
    display_high, display_low, alarm_high, warning_high, warning_low, alarm_low, control_high, control_low = _limits(
        raw[at : at + size], dtype
    )
    return ChannelMeta(
        channel,
        time_ns,
        native,
        count,
        host,
        units=units,
        precision=precision,
        display_low=display_low,
        display_high=display_high,
        alarm_low=alarm_low,
        alarm_high=alarm_high,
        warning_low=warning_low,
        warning_high=warning_high,
        control_low=control_low,
        control_high=control_high,
    )


def decode_labels(raw: bytes) -> tuple[bytes, ...]:
    """The state names in a DBR_CTRL_ENUM, byte for byte."""
    used = min(int.from_bytes(raw[4:6], "little", signed=True), _MAX_LABELS)
    return tuple(raw[6 + _LABEL_BYTES * i : 6 + _LABEL_BYTES * (i + 1)].split(b"\0", 1)[0] for i in range(used))


@lru_cache(maxsize=4096)
def _limits(raw: bytes, dtype: str) -> tuple[float | None, ...]:
    """Eight limits, None where one is not finite. Most channels share theirs with others, and so the numbers in memory."""
    with np.errstate(invalid="ignore"):  # a signalling NaN of a float is NaN
        numbers = np.frombuffer(raw, dtype).astype("f8").tolist()
    return tuple(value if math.isfinite(value) else None for value in numbers)


def _text(raw: bytes) -> str:
    return decode_text(raw.split(b"\0", 1)[0])
