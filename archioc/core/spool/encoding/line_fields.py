"""Fields of single samples that are more than a finite number, and of metadata, events and health, in line protocol.

Measurements, tags and fields: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np
import orjson

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.audit import AuditRecord
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import NO_BLOB, ChannelMeta, Kind, SampleFlag, decode_exactly
from archioc.core.spool.encoding.escaping import quote_field
from archioc.core.spool.encoding.pieces import MAX_PIECE, SIZE_TOLD_FROM, piece_names, split_bytes, split_text
from archioc.core.spool.encoding.plain_text import plain
from archioc.core.table.archiver_health import ArchiverHealth

NON_FINITE = "non_finite"
"""The field that stands in for a number that line protocol cannot carry."""

OLD_NON_FINITE = "nan"
"""Its name in archives of before: for the parsers of some servers that is a number."""

NAN, PLUS_INF, MINUS_INF = 1, 2, 3
"""Values of this field."""

LIMITS = ("display_low", "display_high", "alarm_low", "alarm_high", "warning_low", "warning_high", "control_low", "control_high")
"""Fields of ChannelMeta that are limits."""

STATISTICS = ("min", "max", "mean", "std")
"""Fields of ArrayStatistics that are numbers of their own in a store."""

AUDIT_TEXTS = ("user", "host", "peer", "old", "new", "outcome")
"""Fields of AuditRecord that are fields in a store."""

_HEALTH_FIELDS = tuple(field.name for field in dataclasses.fields(ArchiverHealth) if field.name not in {"archiver", "time_ns"})

HAS_SRC_TIME = SampleFlag.GENERATED | SampleFlag.RESTAMPED | SampleFlag.ARCHIVER_CLOCK
"""Flags of samples that have a `src_time`."""


def sample_fields(sample: np.void, blobs: tuple[bytes, ...]) -> Iterator[bytes]:
    """Fields before the alarm of one sample."""
    blob = blobs[sample["blob"]] if sample["blob"] != NO_BLOB else b""
    kind = Kind(sample["kind"])
    flags = int(sample["flags"])
    if kind is Kind.ARRAY:
        if flags & SampleFlag.STATISTICS:
            yield from _statistics_fields(ArrayStatistics.unpack(blob))
        else:
            yield from _array_fields(blob, ELEMENT_DTYPE[Dbr(sample["dbr"])])
    elif kind is Kind.TEXT or sample["blob"] != NO_BLOB:
        text, flag = decode_exactly(blob)
        flags |= flag
        if kind is Kind.TEXT:
            yield from _text_fields(text)
        else:
            yield _value_field(float(sample["value"]))
            yield b"label=" + quote_field(plain(text))
    else:
        yield _value_field(float(sample["value"]))
    if flags & HAS_SRC_TIME:
        yield b"src_time=%di" % sample["src_time"]
    if flags:
        yield b"flags=%di" % flags


def alarm_fields(severity: int, status: int) -> bytes:
    """The alarm of a sample, as it stands behind other fields; nothing where there is none."""
    return (b",severity=%di" % severity if severity else b"") + (b",status=%di" % status if status else b"")


def meta_line(tag: bytes, meta: ChannelMeta) -> bytes:
    """The line of what an IOC told."""
    return _line(b"meta,pv=" + tag, _meta_fields(meta), meta.time_ns)


def event_line(archiver: bytes, tag: bytes, event: ChannelEvent) -> bytes:
    """The line of an event. archiver: name of the one that tells it."""
    return _line(b"event,archiver=%b,code=%d,pv=%b" % (archiver, event.reason, tag), _event_fields(event), event.time_ns)


def audit_line(tag: bytes, record: AuditRecord) -> bytes:
    """The line of a put by a client."""
    fields = (name.encode() + b"=" + quote_field(plain(getattr(record, name))) for name in AUDIT_TEXTS)
    return _line(b"audit,pv=" + tag, fields, record.time_ns)


def health_line(health: ArchiverHealth) -> bytes:
    """The line of the archiver's own health. Its name holds nothing that a tag must escape."""
    return _line(b"archiver,archiver=" + health.archiver.encode(), _health_fields(health), health.time_ns)


def _health_fields(health: ArchiverHealth) -> Iterator[bytes]:
    for name in _HEALTH_FIELDS:
        number = getattr(health, name)
        yield name.encode() + b"=" + (repr(number) if isinstance(number, float) else f"{number}i").encode()


def _value_field(value: float) -> bytes:
    if math.isfinite(value):
        return b"value=" + repr(value).encode()
    return b"non_finite=%di" % (NAN if math.isnan(value) else PLUS_INF if value > 0 else MINUS_INF)


def _text_fields(text: str) -> Iterator[bytes]:
    pieces = split_text(plain(text, in_pieces=len(text.encode()) > MAX_PIECE))
    size = sum(len(piece.encode()) for piece in pieces)
    yield from _pieces("text", pieces, size)
    if size >= SIZE_TOLD_FROM:
        yield b"size=%di" % size


def _array_fields(blob: bytes, dtype: np.dtype[np.generic]) -> Iterator[bytes]:
    yield from _pieces("data", split_bytes(blob), len(blob))
    yield b"size=%di" % len(blob)
    yield b"dtype=" + quote_field(dtype.str)
    yield from _statistics_fields(ArrayStatistics.of(np.frombuffer(blob, dtype)))


def _pieces(field: str, pieces: list[str], size: int) -> Iterator[bytes]:
    return (name.encode() + b"=" + quote_field(piece) for name, piece in zip(piece_names(field, size), pieces, strict=False))


def _statistics_fields(found: ArrayStatistics) -> Iterator[bytes]:
    yield b"n=%di" % found.n
    for name in STATISTICS:
        number = getattr(found, name)
        if math.isfinite(number):
            yield name.encode() + b"=" + repr(number).encode()


def _meta_fields(meta: ChannelMeta) -> Iterator[bytes]:
    yield b"dbr=%di" % meta.dbr
    yield b"count=%di" % meta.count
    yield b"host=" + quote_field(plain(meta.host))
    yield b"units=" + quote_field(plain(meta.units))
    yield b"labels=" + quote_field(plain(orjson.dumps(meta.labels).decode()))
    if meta.precision is not None:
        yield b"precision=%di" % meta.precision
    for name in LIMITS:
        limit = getattr(meta, name)
        if limit is not None and math.isfinite(limit):
            yield name.encode() + b"=" + repr(float(limit)).encode()


def _event_fields(event: ChannelEvent) -> Iterator[bytes]:
    yield b"reason=" + quote_field(event.reason.word)
    yield b"count=%di" % event.count
    yield b"text=" + quote_field(plain(event.text))
    if event.end_ns is not None:
        yield b"end_ns=%di" % event.end_ns


def _line(head: bytes, fields: Iterable[bytes], time_ns: int) -> bytes:
    return head + b" " + b",".join(fields) + b" %d\n" % max(time_ns, 0)
