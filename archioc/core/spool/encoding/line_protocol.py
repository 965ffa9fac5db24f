"""InfluxDB line protocol from whole columns, gzipped as it will be posted.

Measurements, tags and fields: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

from itertools import chain, repeat

import numpy as np
import numpy.typing as npt
import orjson

from archioc.core.dbr import status_name
from archioc.core.spool.batch import NO_BLOB, Batch, Kind, SampleFlag, Samples
from archioc.core.spool.encoding.compression import compress
from archioc.core.spool.encoding.escaping import escape_tag
from archioc.core.spool.encoding.line_fields import (
    HAS_SRC_TIME,
    alarm_fields,
    audit_line,
    event_line,
    health_line,
    meta_line,
    sample_fields,
)
from archioc.core.spool.encoding.order import sort_by_row

_MAX_CACHED = 262_144

DEFAULT_ARCHIVER = "main"
"""`archiver.name` where the configuration tells none."""


class LineEncoder:
    """Makes gzipped line protocol: samples sorted by row, one line each, then alarms, metadata, events, audit and health.

    archiver: its name, with the events. It holds nothing that a tag must escape.
    """

    def __init__(self, destination: str, archiver: str = DEFAULT_ARCHIVER) -> None:
        self._destination, self._archiver = destination, archiver.encode()
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
        parts = [self._samples(batch), self._alarms(batch)]
        parts += [meta_line(self._tag(meta.channel), meta) for meta in batch.metas]
        parts += [event_line(self._archiver, self._tag(event.channel), event) for event in batch.events]
        parts += [audit_line(escape_tag(record.pv), record) for record in batch.audit]
        if batch.health is not None:
            parts.append(health_line(batch.health))
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
        samples = _since_1970(sort_by_row(batch.samples))
        rows, counts = np.unique(samples["row"], return_counts=True)
        tags = [self._tag(batch.names[row]) for row in rows.tolist()]
        value = np.ascontiguousarray(samples["value"])
        finite = np.isfinite(value)
        # newline and head, value, alarm and blank, time stamp
        pieces = [b""] * (4 * len(samples))
        pieces[0::4] = _repeated([b"\nsample,pv=" + tag + b" value=" for tag in tags], counts)
        pieces[1::4] = _numbers(np.where(finite, value, 0.0))
        pieces[2::4] = _sample_alarms(samples)
        pieces[3::4] = _numbers(np.ascontiguousarray(samples["time"]))
        plain = finite & (samples["blob"] == NO_BLOB) & (samples["flags"] == 0) & (samples["kind"] <= Kind.ENUM)
        for at in np.flatnonzero(~plain).tolist():
            sample = samples[at]
            measurement = b"\narray,pv=" if sample["kind"] == Kind.ARRAY else b"\nsample,pv="
            pieces[4 * at] = measurement + self._tag(batch.names[int(sample["row"])]) + b" "
            pieces[4 * at + 1] = b",".join(sample_fields(sample, batch.blobs))
        pieces[0] = pieces[0].removeprefix(b"\n")
        pieces.append(b"\n")
        return b"".join(pieces)

    def _alarms(self, batch: Batch) -> bytes:
        alarms = batch.alarms
        if not len(alarms):
            return b""
        heads = {row: b"alarm,pv=" + self._tag(batch.names[row]) for row in np.unique(alarms["row"]).tolist()}
        codes = _alarm_codes(alarms)
        fields = {code: _state_fields(code >> 8, code & 0xFF) for code in np.unique(codes).tolist()}
        pieces = [b"\n"] * (4 * len(alarms))
        pieces[0::4] = [heads[row] for row in alarms["row"].tolist()]
        pieces[1::4] = [fields[code] for code in codes.tolist()]
        pieces[2::4] = _numbers(np.maximum(alarms["time"], 0))
        return b"".join(pieces)


def _since_1970(samples: Samples) -> Samples:
    """Samples with times that every server takes. A negative one, which no IOC can send, is unusable: one soon after 0 takes its place."""
    before = np.flatnonzero(samples["time"] < 0)
    if not len(before):
        return samples
    samples = samples.copy()
    unmarked = before[(samples["flags"][before] & HAS_SRC_TIME) == 0]
    samples["src_time"][unmarked] = samples["time"][unmarked]
    samples["flags"][before] |= np.uint8(SampleFlag.RESTAMPED)
    samples["time"][before] = np.arange(len(before))
    return samples


def _repeated(texts: list[bytes], counts: npt.NDArray[np.intp]) -> list[bytes]:
    return list(chain.from_iterable(map(repeat, texts, counts.tolist())))


def _numbers(column: npt.NDArray[np.generic]) -> list[bytes]:
    """Each number as the shortest text that reads back as the same; a float always with a point or an exponent."""
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _alarm_codes(column: npt.NDArray[np.void]) -> npt.NDArray[np.uint16]:
    codes: npt.NDArray[np.uint16] = column["severity"].astype("u2") << 8 | column["status"]
    return codes


def _sample_alarms(samples: Samples) -> list[bytes]:
    """What stands between the value and the time stamp of each sample: its alarm fields, if any, and a blank."""
    codes = _alarm_codes(samples)
    if not codes.any():
        return [b" "] * len(samples)
    texts = {code: alarm_fields(code >> 8, code & 0xFF) + b" " for code in np.unique(codes).tolist()}
    return [texts[code] for code in codes.tolist()]


def _state_fields(severity: int, status: int) -> bytes:
    """The fields of a line of `alarm`, between blanks."""
    return b' severity=%di,status=%di,status_text="%b" ' % (severity, status, status_name(status).encode())
