"""A batch as columns, for the embedded store: compact, self-describing, the same bit for bit when read back.

Content before gzip: magic (8 bytes), length of the head (u4, little endian), the head (JSON), then
the columns of SAMPLE one after the other in the order in which the head lists them, the counts, the
alarms, and the blobs. `docs/reference/contract/files.md` describes the head.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import numpy as np
import orjson

from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ALARM, COUNTS, SAMPLE, Batch, ChannelMeta
from archioc.core.spool.encoding.compression import compress, decompress
from archioc.core.spool.encoding.line_fields import LIMITS
from archioc.core.spool.encoding.order import sort_by_row

_MAGIC = b"ArchCol1"
_START = struct.Struct("<8sI")
_EVENT_FIELDS = tuple(field.name for field in dataclasses.fields(ChannelEvent) if field.name != "archiver")
"""The embedded store is that of one archiver."""
_META_FIELDS = tuple(field.name for field in dataclasses.fields(ChannelMeta))
_AUDIT_FIELDS = tuple(field.name for field in dataclasses.fields(AuditRecord))
"""Taken one by one: `dataclasses.astuple` and `asdict` copy deeply, which takes 50 us an event when 100 000 channels are lost at once."""

_COLUMNS = tuple(name for name in SAMPLE.names or () if name != "pad")


class ColumnEncoder:
    """Makes payloads for the embedded store: samples sorted by row. It keeps no health of the archiver."""

    def __init__(self, destination: str) -> None:
        self._destination = destination

    @property
    def destination(self) -> str:
        """Which store the payloads are for."""
        return self._destination

    def encode(self, batch: Batch) -> bytes:
        """The payload, compressed."""
        samples = sort_by_row(batch.samples)
        head = {
            "columns": [[name, SAMPLE[name].str] for name in _COLUMNS],
            "samples": len(samples),
            "counts": len(batch.counts),
            "alarms": len(batch.alarms),
            "blobs": [len(blob) for blob in batch.blobs],
            "rows": list(batch.names),
            "names": list(batch.names.values()),
            "events": [[getattr(event, name) for name in _EVENT_FIELDS] for event in batch.events],
            "audit": [[getattr(record, name) for name in _AUDIT_FIELDS] for record in batch.audit],
            "metas": [{name: getattr(meta, name) for name in _META_FIELDS} for meta in batch.metas],
        }
        text = orjson.dumps(head)
        columns = [np.ascontiguousarray(samples[name]).tobytes() for name in _COLUMNS]
        content = b"".join([_START.pack(_MAGIC, len(text)), text, *columns, batch.counts.tobytes(), batch.alarms.tobytes(), *batch.blobs])
        return compress(content)


def decode_columns(payload: bytes) -> Batch:
    """The batch in a payload, its samples sorted by row. Raises ValueError when the payload is no such thing.

    Limits of metadata that were NaN or infinite come back as None.
    """
    content = decompress(payload)
    if not content.startswith(_MAGIC):
        raise ValueError(f"a column payload starts with {_MAGIC!r}, this one with {content[: len(_MAGIC)]!r}")
    return _parse(memoryview(content))


def _parse(content: memoryview) -> Batch:
    _, head_size = _START.unpack_from(content)
    at = _START.size
    head = orjson.loads(content[at : at + head_size])
    at += head_size
    samples = np.zeros(head["samples"], SAMPLE)
    for name, dtype in head["columns"]:
        column = np.frombuffer(content, dtype, head["samples"], at)
        samples[name] = column
        at += column.nbytes
    counts = np.frombuffer(content, COUNTS, head["counts"], at)
    at += counts.nbytes
    alarms = np.frombuffer(content, ALARM, head["alarms"], at)
    at += alarms.nbytes
    blobs = []
    for size in head["blobs"]:
        blobs.append(bytes(content[at : at + size]))
        at += size
    return Batch(
        samples=samples,
        blobs=tuple(blobs),
        names=dict(zip(head["rows"], head["names"], strict=True)),
        counts=counts,
        events=tuple(_event(*fields) for fields in head["events"]),
        metas=tuple(_meta(fields) for fields in head["metas"]),
        alarms=alarms,
        audit=tuple(AuditRecord(*fields) for fields in head.get("audit", ())),  # a batch of an earlier version has none
    )


def _event(channel: str, time_ns: int, reason: int, end_ns: int | None, count: int, text: str) -> ChannelEvent:
    return ChannelEvent(channel, time_ns, Reason(reason), end_ns, count, text)


def _meta(fields: dict[str, Any]) -> ChannelMeta:
    limits = {name: fields[name] for name in LIMITS}
    return ChannelMeta(**{**fields, **limits, "labels": tuple(fields["labels"])})
