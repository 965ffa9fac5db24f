"""Samples as the protocol has them: in runs of one type under one header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import Dbr
from archioc.db.sample_columns import SampleColumns
from archioc.retrieval.appliance.payload import OF_ELEMENTS, SCALARS, WAVEFORMS, PayloadType, fits

Array = npt.NDArray[np.generic]
Values = npt.NDArray[np.float64] | list[bytes] | list[Array]
Fields = Mapping[int, Mapping[str, str]]

STATISTICS_NOTE = {"statistics": "mean,std,min,max,n"}
"""What is told beside an array of which only statistics were kept: they stand in its place."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is told about the samples that follow. elements: of an array, 1 for scalars; headers: EGU, PREC, limits, labels."""

    channel: str
    kind: PayloadType
    elements: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Samples of one type, sorted by time; there may be none.

    time: ns since 1970. values: numbers (exact in the type), texts in UTF-8, or arrays of elements. severity, status: uint8.
    fields: what is told beside the value, by the place of the sample.
    """

    header: Header
    time: npt.NDArray[np.int64]
    values: Values
    severity: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint8]
    fields: Fields = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls, header: Header) -> Run:
        """No sample."""
        none = np.zeros(0, np.uint8)
        return cls(header, np.zeros(0, np.int64), [] if not is_numeric(header.kind) else np.zeros(0), none, none)

    def part(self, begin: int, end: int) -> Run:
        """Samples from one place to before another."""
        fields = {at - begin: told for at, told in self.fields.items() if begin <= at < end}
        part = slice(begin, end)
        return Run(self.header, self.time[part], self.values[part], self.severity[part], self.status[part], fields)


def is_numeric(kind: PayloadType) -> bool:
    """Whether its values are scalar numbers."""
    return not kind.is_waveform and kind is not PayloadType.SCALAR_STRING


def runs_of(columns: SampleColumns, number: PayloadType, header: Callable[[PayloadType, int], Header], fields: Fields) -> Iterator[Run]:
    """Stored samples as runs. number: the type of numeric scalars; header: makes the header of a type and a number of elements."""
    kinds = _kinds(columns, number)
    begins = np.flatnonzero(np.append(True, kinds[1:] != kinds[:-1])).tolist() if len(kinds) else []
    for begin, end in zip(begins, [*begins[1:], len(columns)], strict=True):
        kind = PayloadType(int(kinds[begin]))
        values = _values(columns, kind, begin, end)
        elements = len(values[0]) if kind.is_waveform else 1
        reduced = [at for at in range(begin, end) if columns.reduced[at] is not None] if kind.is_waveform else []
        notes = dict.fromkeys(reduced, STATISTICS_NOTE)
        told = {at - begin: {**notes.get(at, {}), **fields.get(at, {})} for at in {*notes, *fields} if begin <= at < end}
        part = slice(begin, end)
        yield Run(header(kind, elements), columns.time[part], values, columns.severity[part], columns.status[part], told)


def _kinds(columns: SampleColumns, number: PayloadType) -> npt.NDArray[np.uint8]:
    """The type of each sample."""
    number = number if is_numeric(number) else PayloadType.SCALAR_DOUBLE
    kinds = np.full(len(columns), number, np.uint8)
    if columns.has_texts:
        text = np.array([one is not None for one in columns.text], bool) & np.isnan(columns.value)
        kinds[text] = PayloadType.SCALAR_STRING
    for at in columns.array_places:
        array = columns.arrays[at]
        kinds[at] = PayloadType.WAVEFORM_DOUBLE if array is None else OF_ELEMENTS[array.dtype.str]
    numeric = kinds == number
    if number is not PayloadType.SCALAR_DOUBLE and not fits(number, columns.value[numeric]):
        kinds[numeric] = PayloadType.SCALAR_DOUBLE
    return kinds


def _values(columns: SampleColumns, kind: PayloadType, begin: int, end: int) -> Values:
    if is_numeric(kind):
        return columns.value[begin:end]
    if kind is PayloadType.SCALAR_STRING:
        return [(text or "").encode() for text in columns.text[begin:end]]
    found: list[Array] = []
    for at in range(begin, end):
        array, reduced = columns.arrays[at], columns.reduced[at]
        if array is None:
            assert reduced is not None, "an array sample has elements or statistics"
            array = np.array([reduced.mean, reduced.std, reduced.min, reduced.max, reduced.n], "<f8")
        found.append(array)
    return found


def element_type(dbr: int, count: int) -> PayloadType:
    """The type of a channel, from its native DBR type and number of elements."""
    kind = Dbr(dbr)
    return (WAVEFORMS if count > 1 else SCALARS)[kind]
