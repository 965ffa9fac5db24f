"""`getData.csv` and `getData.txt`: a line for each sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archioc.core.timestamp import format_utc
from archioc.retrieval.appliance.json_format import PIECE, json_values
from archioc.retrieval.appliance.runs import Run
from archioc.retrieval.appliance.series import SECOND_NS, Series


def csv_pieces(found: Iterable[Series]) -> Iterator[bytes]:
    """`secs,value,severity,status,nanos` without a head line, and an empty line behind each channel."""
    for series in found:
        for part in _parts(series):
            values = (_csv_field(value) for value in json_values(part))
            columns = (part.time // SECOND_NS, part.severity, part.status, part.time % SECOND_NS)
            seconds, severities, statuses, nanos = (column.tolist() for column in columns)
            rows = zip(seconds, values, severities, statuses, nanos, strict=True)
            yield b"".join(b"%d,%b,%d,%d,%d\n" % row for row in rows)
        yield b"\n"


def txt_pieces(found: Iterable[Series]) -> Iterator[bytes]:
    """For people: date (UTC), value, severity, status and nanoseconds with tabs between."""
    for series in found:
        yield f"Beginning data for PV {series.asked}\n".encode()
        for part in _parts(series):
            columns = (part.time, part.severity, part.status, part.time % SECOND_NS)
            times, severities, statuses, nanos = (column.tolist() for column in columns)
            rows = zip((format_utc(one).encode() for one in times), json_values(part), severities, statuses, nanos, strict=True)
            yield b"".join(b"%b\t%b\t%d\t%d\t%d\n" % row for row in rows)


def _parts(series: Series) -> Iterator[Run]:
    for run in series.runs:
        for begin in range(0, len(run), PIECE):
            yield run.part(begin, min(begin + PIECE, len(run)))


def _csv_field(value: bytes) -> bytes:
    """Texts and arrays between quotes; a quote within is doubled. Texts keep the escapes of JSON, so that a sample is one line."""
    if value[:1] == b'"':
        value = value[1:-1].replace(b'\\"', b'"')
    elif value[:1] != b"[":
        return value
    return b'"' + value.replace(b'"', b'""') + b'"'
