"""Samples and bins as the JSON archive access protocol writes them: an object each, of exactly the fields that its readers know.

Readers are strict: an unknown field, a field twice, `value` before `type`, an enum without labels or limits in the wrong order end a trace.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import orjson

from archioc.core.dbr import Dbr, Status, status_name
from archioc.core.spool.batch import ChannelMeta, decode_text
from archioc.db.bins import Bins
from archioc.db.sample_columns import Array, SampleColumns

LEVELS = (b"OK", b"MINOR", b"MAJOR", b"INVALID")

EXACT = 2.0**53
"""Whole numbers up to this are exact in float64."""

_OBJECT = b'{"time":%d,%b,%b}'
_WHOLE = frozenset({Dbr.SHORT, Dbr.CHAR, Dbr.LONG, Dbr.ENUM})
_UNSET = (math.nan, math.nan)


BIN_STATUS = "NO_ALARM"
"""A bin keeps the highest severity of its samples and no status; pbraw tells status 0 of it, which is this word."""


def status_word(code: int) -> str:
    """A status as clients of Channel Access show it, `HIHI_ALARM`; a code outside 0..21 as `<code>`.

    Phoebus has these words for pbraw and for live values (`ChannelAccessStatusUtil`), so one trace has one word for one status.
    """
    if not 0 <= code < len(Status):
        return f"<{code}>"
    return "NO_ALARM" if code == Status.NO_ALARM else f"{status_name(code)}_ALARM"


def sample_objects(columns: SampleColumns, meta: ChannelMeta | None) -> list[bytes]:
    """Each sample as it was stored."""
    return [_OBJECT % one for one in zip(columns.time.tolist(), _alarms(columns), _values(columns, meta), strict=True)]


def bin_objects(bins: Bins, meta: ChannelMeta | None) -> list[bytes]:
    """Each bin as mean, minimum and maximum, at the time of its first number. A bin without a finite number is NaN."""
    times = np.where(bins.count > 0, bins.first_time, bins.start).tolist()
    alarms = [_alarm(code, BIN_STATUS, b"Interpolated") for code in bins.severity.tolist()]
    start = _numeric_meta(meta, whole=False) + b'"type":"minMaxDouble","value":['
    columns = zip(times, alarms, _floats(bins.mean), _floats(bins.min), _floats(bins.max), strict=True)
    form = b'{"time":%d,%b,' + start.replace(b"%", b"%%") + b'%b],"minimum":%b,"maximum":%b}'
    return [form % one for one in columns]


def marker_object(time_ns: int, word: str) -> bytes:
    """A gap begins: a text that has no value, so that the trace ends."""
    name = word.encode()
    alarm = b'"severity":{"level":"INVALID","hasValue":false},"status":"%b","quality":"Original"' % name
    return _OBJECT % (time_ns, alarm, b'"type":"string","value":["%b"]' % name)


def _alarms(columns: SampleColumns) -> list[bytes]:
    codes = columns.severity.astype(np.uint16) << 8 | columns.status
    known = {code: _alarm(code >> 8, status_word(code & 0xFF), b"Original") for code in np.unique(codes).tolist()}
    return [known[code] for code in codes.tolist()]


def _alarm(severity: int, status: str, quality: bytes) -> bytes:
    level = LEVELS[min(severity, 3)]
    return b'"severity":{"level":"%b","hasValue":true},"status":"%b","quality":"%b"' % (level, status.encode(), quality)


def _values(columns: SampleColumns, meta: ChannelMeta | None) -> list[bytes]:
    """What follows the alarm of each sample: metadata, type and value."""
    numbers = numbers_of(columns)
    found = _scalars(columns.value, numbers, meta)
    for at in np.flatnonzero(~numbers).tolist():
        found[at] = _other(columns, at, meta)
    return found


def numbers_of(columns: SampleColumns) -> npt.NDArray[np.bool_]:
    """Which samples are scalar numbers (or enum indexes)."""
    found = np.ones(len(columns), np.bool_)
    if columns.text.count(None) < len(columns):
        found &= ~(np.array([one is not None for one in columns.text], np.bool_) & np.isnan(columns.value))
    for others in (columns.arrays, columns.reduced):
        if any(one is not None for one in others):
            found &= np.array([one is None for one in others], np.bool_)
    return found


def _scalars(values: npt.NDArray[np.float64], numbers: npt.NDArray[np.bool_], meta: ChannelMeta | None) -> list[bytes]:
    """All as numbers; those that are none (by the mask) are not to be used."""
    if meta is not None and meta.dbr in _WHOLE and _are_whole(values[numbers]):
        whole = np.where(numbers, values, 0.0).astype(np.int64)
        written = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        if meta.dbr == Dbr.ENUM and meta.labels and _are_enum(whole):
            start = b'"metaData":{"type":"enum","states":%b},"type":"enum","value":[' % orjson.dumps(meta.labels)
        else:
            start = _numeric_meta(meta, whole=True) + b'"type":"long","value":['
    else:
        written = _floats(values)
        start = _numeric_meta(meta, whole=False) + b'"type":"double","value":['
    return [start + one + b"]" for one in written]


def _are_whole(values: npt.NDArray[np.float64]) -> bool:
    return bool((np.isfinite(values) & (np.abs(values) <= EXACT) & (values == np.floor(values))).all())


def _are_enum(values: npt.NDArray[np.int64]) -> bool:
    """Readers take them for 32 bits."""
    return bool(((values >= 0) & (values < 2**16)).all())


def _other(columns: SampleColumns, at: int, meta: ChannelMeta | None) -> bytes:
    array, reduced = columns.arrays[at], columns.reduced[at]
    if array is not None:
        return _array(array, meta)
    if reduced is not None:
        mean, low, high = _floats(np.array([reduced.mean, reduced.min, reduced.max]))
        return _numeric_meta(meta, whole=False) + b'"type":"minMaxDouble","value":[%b],"minimum":%b,"maximum":%b' % (mean, low, high)
    return b'"type":"string","value":[%b]' % orjson.dumps(columns.text[at])


def _array(array: Array, meta: ChannelMeta | None) -> bytes:
    if array.dtype.kind == "S":
        return b'"type":"string","value":%b' % orjson.dumps([decode_text(bytes(one)) for one in array.tolist()])
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # a signalling NaN of 32 bits becomes a quiet one, which numpy reports
            values = b",".join(_floats(array.astype(np.float64)))
        return _numeric_meta(meta, whole=False) + b'"type":"double","value":[%b]' % values
    whole = orjson.dumps(array.astype(np.int64), option=orjson.OPT_SERIALIZE_NUMPY)
    return _numeric_meta(meta, whole=True) + b'"type":"long","value":%b' % whole


def _floats(values: npt.NDArray[np.float64]) -> list[bytes]:
    if not len(values):
        return []
    found = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for at in np.flatnonzero(~np.isfinite(values)).tolist():
        found[at] = orjson.dumps(_not_finite(float(values[at])))
    return found


def _not_finite(value: float) -> str:
    """As a text, so that every JSON parser takes it."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _numeric_meta(meta: ChannelMeta | None, *, whole: bool) -> bytes:
    """Unit, precision and limits; empty where nothing of the kind is known."""
    if meta is None or meta.dbr in {Dbr.STRING, Dbr.ENUM}:
        return b""
    fields: dict[str, object] = {"type": "numeric", "precision": _precision(meta, whole=whole), "units": meta.units}
    for name, low, high in (
        ("display", meta.display_low, meta.display_high),
        ("warn", meta.warning_low, meta.warning_high),
        ("alarm", meta.alarm_low, meta.alarm_high),
    ):
        fields[f"{name}Low"], fields[f"{name}High"] = map(_limit, _range(low, high))
    return b'"metaData":%b,' % orjson.dumps(fields)


def _precision(meta: ChannelMeta, *, whole: bool) -> int:
    """-1 lets the reader choose."""
    if meta.precision is None:
        return 0 if whole else -1
    return meta.precision


def _range(low: float | None, high: float | None) -> tuple[float, float]:
    """A range as readers take it: open on the side that has no limit, as over Channel Access; NaN where there is none on either side.

    Readers refuse a range whose low end is above its high end.
    """
    if (low is None or math.isnan(low)) and (high is None or math.isnan(high)):
        return _UNSET
    begin = -math.inf if low is None or math.isnan(low) else low
    end = math.inf if high is None or math.isnan(high) else high
    return (begin, end) if begin <= end else _UNSET


def _limit(value: float) -> float | str:
    return value if math.isfinite(value) else _not_finite(value)
