"""InfluxDB line protocol from whole columns, gzipped as it will be posted.

Measurements, tags and fields: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
import orjson

from archioc.core.batch import NO_BLOB, Batch, ChannelMeta, Kind, SampleFlag, Samples, decode_text
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.encoding.compression import compress
from archioc.core.encoding.escaping import escape_tag, quote_field
from archioc.core.encoding.order import sort_by_row
from archioc.core.events import ChannelEvent

NAN, PLUS_INF, MINUS_INF = 1, 2, 3
"""Values of the field `nan`, which stands in for a number that line protocol cannot carry."""

LIMITS = ("display_low", "display_high", "alarm_low", "alarm_high", "warning_low", "warning_high", "control_low", "control_high")
"""Fields of ChannelMeta that are limits."""

_MAX_CACHED = 262_144
_HAS_SRC_TIME = SampleFlag.GENERATED | SampleFlag.RESTAMPED | SampleFlag.ARCHIVER_CLOCK


class LineEncoder:
    """Makes gzipped line protocol: samples sorted by row, one line each, then metadata and events."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._tags: dict[str, bytes] = {}

    @property
    def destination(self) -> str:
        """Which store the payloads are for."""
        return self._destination

    def encode(self, batch: Batch) -> bytes:
        """The body to post with `Content-Encoding: gzip` and `precision=ns`."""
        return compress(self.lines(batch))

    def lines(self, batch: Batch) -> bytes:
        """The same, not compressed."""
        parts = [self._samples(batch)]
        parts += [_meta_line(self._tag(meta.channel), meta) for meta in batch.metas]
        parts += [_event_line(self._tag(event.channel), event) for event in batch.events]
        return b"".join(parts)

    def _tag(self, name: str) -> bytes:
        tag = self._tags.get(name)
        if tag is None:
            if len(self._tags) >= _MAX_CACHED:
                self._tags.clear()
            tag = self._tags[name] = escape_tag(name)
        return tag

    def _samples(self, batch: Batch) -> bytes:
        if not len(batch.samples):
            return b""
        samples = sort_by_row(batch.samples)
        rows, counts = np.unique(samples["row"], return_counts=True)
        tags = [self._tag(batch.names[row]) for row in rows.tolist()]
        value = np.ascontiguousarray(samples["value"])
        finite = np.isfinite(value)
        # newline and head, value, alarm and blank, time stamp
        pieces = [b""] * (4 * len(samples))
        pieces[0::4] = _repeated([b"\nsample,pv=" + tag + b" value=" for tag in tags], counts)
        pieces[1::4] = _numbers(np.where(finite, value, 0.0))
        pieces[2::4] = _alarms(samples)
        pieces[3::4] = _numbers(np.ascontiguousarray(samples["time"]))
        plain = finite & (samples["blob"] == NO_BLOB) & (samples["flags"] == 0) & (samples["kind"] <= Kind.ENUM)
        for at in np.flatnonzero(~plain).tolist():
            sample = samples[at]
            measurement = b"\narray,pv=" if sample["kind"] == Kind.ARRAY else b"\nsample,pv="
            pieces[4 * at] = measurement + self._tag(batch.names[int(sample["row"])]) + b" "
            pieces[4 * at + 1] = b",".join(_fields(sample, batch.blobs))
        pieces[0] = pieces[0].removeprefix(b"\n")
        pieces.append(b"\n")
        return b"".join(pieces)


def _repeated(texts: list[bytes], counts: npt.NDArray[np.intp]) -> list[bytes]:
    return list(chain.from_iterable(map(repeat, texts, counts.tolist())))


def _numbers(column: npt.NDArray[np.generic]) -> list[bytes]:
    """Each number as the shortest text that reads back as the same; a float always with a point or an exponent."""
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _alarms(samples: Samples) -> list[bytes]:
    """What stands between the value and the time stamp of each sample: its alarm fields, if any, and a blank."""
    codes = samples["severity"].astype("u2") << 8 | samples["status"]
    if not codes.any():
        return [b" "] * len(samples)
    texts = {code: _alarm_fields(code >> 8, code & 0xFF) + b" " for code in np.unique(codes).tolist()}
    return [texts[code] for code in codes.tolist()]


def _alarm_fields(severity: int, status: int) -> bytes:
    return (b",severity=%di" % severity if severity else b"") + (b",status=%di" % status if status else b"")


def _fields(sample: np.void, blobs: tuple[bytes, ...]) -> Iterator[bytes]:
    """Fields before the alarm of a sample that is more than a finite number."""
    blob = blobs[sample["blob"]] if sample["blob"] != NO_BLOB else b""
    kind = Kind(sample["kind"])
    if kind is Kind.TEXT:
        yield b"text=" + quote_field(decode_text(blob))
    elif kind is Kind.ARRAY:
        yield from _array_fields(np.frombuffer(blob, ELEMENT_DTYPE[Dbr(sample["dbr"])]))
    else:
        yield _value_field(float(sample["value"]))
        if sample["blob"] != NO_BLOB:
            yield b"label=" + quote_field(decode_text(blob))
    flags = int(sample["flags"])
    if flags & _HAS_SRC_TIME:
        yield b"src_time=%di" % sample["src_time"]
    if flags:
        yield b"flags=%di" % flags


def _value_field(value: float) -> bytes:
    if math.isfinite(value):
        return b"value=" + repr(value).encode()
    return b"nan=%di" % (NAN if math.isnan(value) else PLUS_INF if value > 0 else MINUS_INF)


def _array_fields(elements: npt.NDArray[np.generic]) -> Iterator[bytes]:
    yield b'data="' + base64.b64encode(elements.tobytes()) + b'"'
    yield b"dtype=" + quote_field(elements.dtype.str)
    yield b"n=%di" % len(elements)
    if not len(elements) or not np.issubdtype(elements.dtype, np.number):
        return
    numbers = elements.astype("f8")
    with np.errstate(all="ignore"):
        statistics = {b"min": numbers.min(), b"max": numbers.max(), b"mean": numbers.mean(), b"std": numbers.std()}
    yield from (name + b"=" + repr(float(number)).encode() for name, number in statistics.items() if math.isfinite(number))


def _meta_line(tag: bytes, meta: ChannelMeta) -> bytes:
    return _line(b"meta,pv=" + tag, _meta_fields(meta), meta.time_ns)


def _meta_fields(meta: ChannelMeta) -> Iterator[bytes]:
    yield b"dbr=%di" % meta.dbr
    yield b"count=%di" % meta.count
    yield b"host=" + quote_field(meta.host)
    yield b"units=" + quote_field(meta.units)
    yield b"labels=" + quote_field(orjson.dumps(meta.labels).decode())
    if meta.precision is not None:
        yield b"precision=%di" % meta.precision
    for name in LIMITS:
        limit = getattr(meta, name)
        if limit is not None and math.isfinite(limit):
            yield name.encode() + b"=" + repr(float(limit)).encode()


def _event_line(tag: bytes, event: ChannelEvent) -> bytes:
    return _line(b"event,code=%d,pv=%b" % (event.reason, tag), _event_fields(event), event.time_ns)


def _event_fields(event: ChannelEvent) -> Iterator[bytes]:
    yield b"reason=" + quote_field(event.reason.word)
    yield b"count=%di" % event.count
    yield b"text=" + quote_field(event.text)
    if event.end_ns is not None:
        yield b"end_ns=%di" % event.end_ns


def _line(head: bytes, fields: Iterable[bytes], time_ns: int) -> bytes:
    return head + b" " + b",".join(fields) + b" %d\n" % time_ns
