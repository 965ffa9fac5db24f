"""Answers as frames of pandas, indexed by `time`: UTC, to the nanosecond."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray, take

from archioc.client.metadata import Metadata
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.spool.batch import SampleFlag
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins
from archioc.db.sample_columns import SampleColumns

Times = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

NO_TIME = np.iinfo(np.int64).min
"""NaT."""

_STATISTICS = ("count", "min", "max", "mean", "std", "first", "last", "non_finite", "severity")


def samples_frame(samples: SampleColumns, events: Sequence[ChannelEvent], metadata: Metadata) -> pd.DataFrame:
    """A row for each sample, and one without a value where a gap begins; at one time the sample comes first."""
    gaps = gaps_of(events)
    time = np.append(samples.time, np.array([gap.time_ns for gap in gaps], np.int64))
    order = np.argsort(time, kind="stable")
    places = np.where(order < len(samples), order, -1)
    columns = {"value": pd.Series(take(values_of(samples), places, allow_fill=True))}
    if metadata.type == "ENUM":
        columns["label"] = _texts(take(_labels(samples, metadata.labels), places, allow_fill=True, fill_value=None))
    columns["severity"] = pd.Series(take(pd.array(samples.severity, "UInt8"), places, allow_fill=True))
    columns["status"] = pd.Series(take(pd.array(samples.status, "UInt8"), places, allow_fill=True))
    columns["flags"] = _words(np.append(samples.flags, np.zeros(len(gaps), np.uint8))[order], _flag_words)
    reasons = np.array([gap.reason for gap in gaps], np.uint8)
    columns["gap"] = _words(np.append(np.zeros(len(samples), np.uint8), reasons)[order], _reason_word)
    return _framed(time[order], columns, metadata)


def bins_frame(bins: Bins, events: Sequence[ChannelEvent], end_ns: int, metadata: Metadata) -> pd.DataFrame:
    """A row for each bin, by its begin, empty ones too. gap: the reason of the last gap that overlaps with it."""
    reasons = np.zeros(len(bins), np.uint8)
    ends = np.append(bins.start[1:], end_ns)
    for gap in gaps_of(events):
        begin = np.searchsorted(ends, gap.time_ns, side="right")
        end = len(bins) if gap.end_ns is None else np.searchsorted(bins.start, gap.end_ns)
        reasons[begin:end] = gap.reason
    columns = {name: pd.Series(getattr(bins, name)) for name in _STATISTICS}
    return _framed(bins.start, {**columns, "gap": _words(reasons, _reason_word)}, metadata)


def alarms_frame(alarms: Sequence[AlarmColumns], metadata: Metadata) -> pd.DataFrame:
    """A row for each alarm state that was written."""
    time = np.concatenate([np.zeros(0, np.int64), *(part.time for part in alarms)])
    names = ("severity", "status")
    columns = {name: pd.Series(np.concatenate([np.zeros(0, np.uint8), *(getattr(part, name) for part in alarms)])) for name in names}
    return _framed(time, columns, metadata)


def events_frame(events: Sequence[ChannelEvent], metadata: Metadata) -> pd.DataFrame:
    """A row for each event, by its begin."""
    time = np.array([event.time_ns for event in events], np.int64)
    columns = {
        "reason": _texts(np.array([event.reason.word for event in events], object)),
        "end": pd.Series(_stamps(np.array([NO_TIME if event.end_ns is None else event.end_ns for event in events], np.int64))),
        "count": pd.Series([event.count for event in events], dtype=np.int64),
        "text": _texts(np.array([event.text for event in events], object)),
    }
    return _framed(time, columns, metadata)


def aligned_frame(held: Mapping[str, pd.Series], time: Times) -> pd.DataFrame:
    """The values in force at some times, a column for each channel. held: what holds from each time on."""
    columns = {}
    for channel, values in held.items():
        columns[channel] = pd.Series(take(values.to_numpy(), np.searchsorted(times_of(values), time, side="right") - 1, allow_fill=True))
    return _indexed(time, columns)


def times_of(values: pd.Series) -> Times:
    """The index of a column of ours (ns since 1970 UTC)."""
    return pd.DatetimeIndex(values.index).as_unit("ns").asi8


def gaps_of(events: Sequence[ChannelEvent]) -> list[ChannelEvent]:
    """Those that are gaps and have a length."""
    return [event for event in events if event.reason in GAPS and event.end_ns != event.time_ns]


def values_of(samples: SampleColumns) -> npt.NDArray[np.float64] | Objects:
    """Numbers as float64; where there are others too, objects: float, str, an array of elements or a dict of their statistics."""
    columns = (samples.text, samples.arrays, samples.reduced)
    told = chain.from_iterable([at for at, one in enumerate(column) if one is not None] for column in columns)
    others = [at for at in told if np.isnan(samples.value[at])]
    if not others:
        return samples.value
    values = samples.value.astype(object)
    for at in others:
        reduced, array = samples.reduced[at], samples.arrays[at]
        values[at] = asdict(reduced) if reduced is not None else samples.text[at] if array is None else _elements(array)
    return values


def _elements(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic] | Objects:
    if array.dtype.kind != "S":
        return array
    return np.array([bytes(text).decode(errors="replace") for text in array.tolist()], object)


def _labels(samples: SampleColumns, labels: Sequence[str]) -> Objects:
    """The label stored with a sample, else that of the metadata; None where there is none."""
    known = np.array([*labels, None], object)
    valid = (samples.value >= 0) & (samples.value < len(labels))
    found = known[np.where(valid, samples.value, len(labels)).astype(np.intp)]
    for at, text in enumerate(samples.text):
        if text is not None:
            found[at] = text
    return found


def _words(numbers: npt.NDArray[np.uint8], word: Callable[[int], str]) -> pd.Series:
    """A column of few words, kept as numbers."""
    known, codes = np.unique(numbers, return_inverse=True)
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index([word(int(number)) for number in known], dtype=object)))


def _flag_words(flags: int) -> str:
    """Names of flags with bars between."""
    return "|".join(flag.name.lower() for flag in SampleFlag if flags & flag and flag.name)


def _reason_word(reason: int) -> str:
    return Reason(reason).word if reason else ""


def _texts(found: npt.ArrayLike | ExtensionArray) -> pd.Series:
    """A column of objects, which pandas would turn into its own kind of text."""
    return pd.Series(found, dtype=object)


def _framed(time: Times, columns: Mapping[str, pd.Series], metadata: Metadata) -> pd.DataFrame:
    frame = _indexed(time, columns)
    frame.attrs.update(asdict(metadata))
    return frame


def _indexed(time: Times, columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    frame.index = _stamps(time).rename("time")
    return frame


def _stamps(time: Times) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(time.astype("M8[ns]"), tz="UTC")
