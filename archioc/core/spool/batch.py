"""What the engine hands to the spool: samples as columns, events and metadata.

A batch names its channels itself, so that it can be delivered long after a row of the channel
table has been given to another channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
import numpy.typing as npt

from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent
from archioc.core.table.archiver_health import ArchiverHealth

NO_BLOB = -1


class Kind(IntEnum):
    """How a sample carries its value."""

    NUMBER = 0
    """`value`: every numeric scalar."""
    ENUM = 1
    """`value`: the index; the blob, where there is one, is the label."""
    TEXT = 2
    """The blob: the bytes of a text up to the first NUL; of any length."""
    ARRAY = 3
    """The blob: elements of the DBR type `dbr`, little endian, one after the other; with STATISTICS what
    `archioc.core.array_statistics` packs."""


class SampleFlag(IntFlag):
    """Marks of a sample."""

    GENERATED = 1
    """Written at receive time because a trace starts or resumes or max_interval has passed; `src_time` is the IOC's own stamp."""
    RESTAMPED = 2
    """The IOC's stamp was unusable (unset, in the future, or the same for another value): `time` is the receive time."""
    STATISTICS = 4
    """Of an array that is too large to be stored only number and statistics of its elements are kept."""
    LATIN_1 = 8
    """The bytes of the text or label are not UTF-8: each is one character of the stored text (`encode_text`).
    Set by encoders and stores."""
    ARCHIVER_CLOCK = 16
    """Setting `clock`: `time` is the receive time, whatever the IOC's stamp is."""


SAMPLE = np.dtype(
    [
        ("row", "<u4"),  # row of the channel table
        ("blob", "<i4"),  # index into Batch.blobs, NO_BLOB where the value says it all
        ("time", "<i8"),  # ns since 1970 UTC, the time under which it is stored
        ("src_time", "<i8"),  # the IOC's own stamp where `time` is ours (any of these flags), else 0
        ("value", "<f8"),  # number or enum index; NaN for text and arrays
        ("severity", "u1"),
        ("status", "u1"),
        ("kind", "u1"),
        ("dbr", "u1"),  # native DBR type
        ("flags", "u1"),
        ("pad", "V3"),
    ]
)
"""One sample; 40 bytes."""

COUNTS = np.dtype(
    [
        ("row", "<u4"),
        ("generation", "<u4"),
        ("samples", "<u4"),  # samples of this channel in the batch
    ]
)
"""How many samples of which channel a batch holds; delivery books them as stored or rejected."""

ALARM = np.dtype(
    [
        ("row", "<u4"),  # row of the channel table
        ("severity", "u1"),
        ("status", "u1"),
        ("pad", "V2"),
        ("time", "<i8"),  # ns since 1970 UTC
    ]
)
"""The alarm that a channel has had since a time: each transition, and the state again hourly and after every gap; 16 bytes."""

Samples = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class ChannelMeta:
    """What an IOC tells about a channel when it connects.

    Numeric limits are None where the type has none. `labels` are the enum's state names.
    """

    channel: str
    time_ns: int
    dbr: int
    count: int
    host: str
    units: str = ""
    precision: int | None = None
    labels: tuple[str, ...] = ()
    display_low: float | None = None
    display_high: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None
    warning_low: float | None = None
    warning_high: float | None = None
    control_low: float | None = None
    control_high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples of a short time, in the order in which they arrived.

    samples: structured array of dtype SAMPLE.
    blobs: texts, labels and arrays, by the index in `samples["blob"]`.
    names: the channel of each row that `samples` or `alarms` name.
    counts: structured array of dtype COUNTS, one entry a channel that has samples.
    alarms: structured array of dtype ALARM; no samples, so `counts` leaves them out.
    audit: puts by clients.
    health: of the archiver itself, now and then.
    """

    samples: Samples
    blobs: tuple[bytes, ...]
    names: dict[int, str]
    counts: npt.NDArray[np.void]
    events: tuple[ChannelEvent, ...] = field(default=())
    metas: tuple[ChannelMeta, ...] = field(default=())
    alarms: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, ALARM))
    audit: tuple[AuditRecord, ...] = field(default=())
    health: ArchiverHealth | None = None

    @property
    def empty(self) -> bool:
        """Nothing in it that a store should get."""
        return not (len(self.samples) or self.events or self.metas or len(self.alarms) or self.audit or self.health)


def decode_text(raw: bytes) -> str:
    """Text of an IOC as str: UTF-8 where it is valid, otherwise each byte as Latin-1 has it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_exactly(raw: bytes) -> tuple[str, SampleFlag]:
    """As `decode_text`, with the flag that the sample needs so that `encode_text` gives these bytes again."""
    try:
        return raw.decode(), SampleFlag(0)
    except UnicodeDecodeError:
        return raw.decode("latin-1"), SampleFlag.LATIN_1


def encode_text(text: str, flags: int) -> bytes:
    """The bytes that the IOC sent, from the text of a sample and its flags."""
    return text.encode("latin-1" if flags & SampleFlag.LATIN_1 else "utf-8")
