"""`archioc get`: stored samples as a table, CSV or JSON lines of chunks, written as they come."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
from rich.console import Console

from archioc.core.batch import SampleFlag
from archioc.core.config_file import load_config
from archioc.core.dbr import severity_name, status_name
from archioc.core.errors import TimeFormatError, UnknownChannel
from archioc.core.events import ChannelEvent
from archioc.core.timestamp import format_local, format_span, format_utc, parse_time
from archioc.reading import open_reader
from db.sample_columns import SampleColumns
from db.store import Reader

CSV_HEADER = ("channel", "time", "time_ns", "value", "label", "severity", "status", "flags", "src_time_ns")
SHOWN_ELEMENTS = 6


def get_samples(path: Path, wanted: list[str], start: str, end: str, form: str, *, as_stored: bool = False) -> None:
    """Write the samples of the channels wanted, as `table`, `csv` or `json`.

    as_stored: under the names that the store has, whatever was renamed.

    Raises UnknownChannel, TimeFormatError, ConfigError, StoreError.
    """
    now = time.time_ns()
    start_ns, end_ns = parse_time(start, now), parse_time(end, now)
    if end_ns < start_ns:
        raise TimeFormatError(f"the end ({format_utc(end_ns)}) lies before the start ({format_utc(start_ns)})")
    reader = open_reader(load_config(path), as_stored=as_stored)
    try:
        names = list(_expand(reader, wanted))
        writer = _WRITERS[form]()
        for name in names:
            writer.write(Found(name, start_ns, reader.samples(name, start_ns, end_ns), reader.events(name, start_ns, end_ns)))
        writer.finish()
    finally:
        reader.close()


def _expand(reader: Reader, wanted: Iterable[str]) -> Iterator[str]:
    """The channels meant. A name is taken as it is first, since names may hold brackets."""
    for pattern in wanted:
        name = pattern.removeprefix("ca://").removesuffix(".VAL")
        found = list(reader.names(_literal(name))) or list(reader.names(pattern))
        if not found:
            raise UnknownChannel(pattern)
        yield from found


def _literal(name: str) -> str:
    """A glob that matches this name alone."""
    return "".join(f"[{ch}]" if ch in "*?[" else ch for ch in name)


@dataclass(frozen=True, slots=True)
class Found:
    """What the store has of a channel: samples in chunks (the one in force at the start comes first), events."""

    channel: str
    start_ns: int
    chunks: Iterator[SampleColumns]
    events: list[ChannelEvent]


class Writer(Protocol):
    """One way to write samples."""

    def write(self, found: Found) -> None:
        """Write one channel."""

    def finish(self) -> None:
        """End the output."""


def exact(number: float) -> float | int | str:
    """A number for JSON and CSV: whole ones without a fraction, NaN and infinities as words."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) < 2**53 and not (number == 0 and math.copysign(1, number) < 0) else number


def plain_value(chunk: SampleColumns, at: int) -> Any:
    """The value of one sample: number or enum index, text, list of elements, or statistics of elements that were not kept."""
    array = chunk.arrays[at]
    reduced = chunk.reduced[at]
    if reduced is not None:
        return {name: exact(float(number)) for name, number in asdict(reduced).items()}
    if array is not None:
        if array.dtype.kind == "S":
            return [element.decode("utf-8", "replace") for element in array.tolist()]
        return [exact(float(element)) for element in array.tolist()]
    text = chunk.text[at]
    number = float(chunk.value[at])
    return text if text is not None and math.isnan(number) else exact(number)


def label_of(chunk: SampleColumns, at: int) -> str:
    """The enum label that was stored with a sample, empty where there is none."""
    text = chunk.text[at]
    return text if text is not None and not math.isnan(float(chunk.value[at])) else ""


def flag_words(flags: int) -> str:
    """Names of a sample's flags, such as `generated`."""
    return "|".join(flag.name.lower() for flag in SampleFlag if flags & flag and flag.name)


class CsvWriter:
    """RFC 4180, one header for all channels."""

    def __init__(self) -> None:
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        self._csv.writerow(CSV_HEADER)

    def write(self, found: Found) -> None:
        """Write one channel; gaps are not shown in CSV."""
        for chunk in found.chunks:
            self._csv.writerows(self._rows(found.channel, chunk))

    def _rows(self, channel: str, chunk: SampleColumns) -> Iterator[tuple[object, ...]]:
        severity, status, flags, source = (column.tolist() for column in (chunk.severity, chunk.status, chunk.flags, chunk.src_time))
        for at, stamp in enumerate(chunk.time.tolist()):
            value = plain_value(chunk, at)
            text = orjson.dumps(value).decode() if isinstance(value, list | dict) else value
            label, words = label_of(chunk, at), flag_words(flags[at])
            yield (channel, format_utc(stamp), stamp, text, label, severity[at], status[at], words, source[at] or "")

    def finish(self) -> None:
        """Nothing ends a CSV file."""


class JsonWriter:
    """One array with an object a channel: its samples and the events that concern the range."""

    def __init__(self) -> None:
        self._out = sys.stdout
        self._out.write("[")
        self._first = True

    def write(self, found: Found) -> None:
        """Write one channel, sample by sample as they come."""
        self._out.write(("" if self._first else ",") + '\n{"channel":' + orjson.dumps(found.channel).decode() + ',"samples":[')
        self._first = False
        separator = "\n"
        for chunk in found.chunks:
            for at in range(len(chunk)):
                self._out.write(separator + orjson.dumps(_sample(chunk, at)).decode())
                separator = ",\n"
        self._out.write('\n],"events":' + orjson.dumps([_event(event) for event in found.events]).decode() + "}")

    def finish(self) -> None:
        """Close the array."""
        self._out.write("\n]\n")


def _sample(chunk: SampleColumns, at: int) -> dict[str, object]:
    stamp = int(chunk.time[at])
    out: dict[str, object] = {"time": format_utc(stamp), "time_ns": stamp, "value": plain_value(chunk, at)}
    if label := label_of(chunk, at):
        out["label"] = label
    out |= {"severity": int(chunk.severity[at]), "status": int(chunk.status[at])}
    if words := flag_words(int(chunk.flags[at])):
        out["flags"] = words
    if source := int(chunk.src_time[at]):
        out["src_time_ns"] = source
    return out


def _event(event: ChannelEvent) -> dict[str, object]:
    return {"reason": event.reason.word, "time_ns": event.time_ns, "end_ns": event.end_ns, "count": event.count, "text": event.text}


class TableWriter:
    """For people: local time, alarms in colour, gaps in their place."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, emoji=False)

    def write(self, found: Found) -> None:
        """Write one channel under its name."""
        say = self._console.print
        say(found.channel, style="bold", markup=False)
        waiting = sorted(found.events, key=lambda event: event.time_ns)
        number = 0
        for chunk in found.chunks:
            for at, stamp in enumerate(chunk.time.tolist()):
                while waiting and waiting[0].time_ns <= stamp:
                    self._say_event(waiting.pop(0))
                self._say_sample(chunk, at, stamp < found.start_ns)
                number += 1
        for event in waiting:
            self._say_event(event)
        say(f"  {number} samples" if number != 1 else "  1 sample", style="dim")

    def _say_sample(self, chunk: SampleColumns, at: int, before: bool) -> None:
        value = plain_value(chunk, at)
        shown = _short_list(value) if isinstance(value, list) else _statistics(value) if isinstance(value, dict) else str(value)
        if label := label_of(chunk, at):
            shown += f" ({label})"
        severity = int(chunk.severity[at])
        style = ("", "yellow", "red", "magenta")[min(severity, 3)]
        alarm = f"{severity_name(severity)} {status_name(int(chunk.status[at]))}" if severity else ""
        notes = " ".join(word for word in (alarm, flag_words(int(chunk.flags[at])), "(before the range)" if before else "") if word)
        self._console.print(f"  {format_local(int(chunk.time[at]))}  {shown:<24}  {notes}".rstrip(), style=style, markup=False)

    def _say_event(self, event: ChannelEvent) -> None:
        lasted = f" for {format_span((event.end_ns - event.time_ns) / 1e9)}" if event.end_ns is not None else ""
        count = f", {event.count} updates" if event.count else ""
        text = f": {event.text}" if event.text else ""
        self._console.print(f"  {format_local(event.time_ns)}  -- {event.reason.word}{lasted}{count}{text}", style="cyan", markup=False)

    def finish(self) -> None:
        """Nothing ends a table."""


def _statistics(found: dict[str, object]) -> str:
    shown = (f"{number:.6g}" if isinstance(number, float) else number for number in found.values())
    return "[" + ", ".join(f"{name} {number}" for name, number in zip(found, shown, strict=True)) + "]"


def _short_list(elements: list[object]) -> str:
    head = ", ".join(f"{element:.6g}" if isinstance(element, float) else str(element) for element in elements[:SHOWN_ELEMENTS])
    return f"[{head}]" if len(elements) <= SHOWN_ELEMENTS else f"[{head}, ... {len(elements)} elements]"


_WRITERS: dict[str, type[Writer]] = {"csv": CsvWriter, "json": JsonWriter, "table": TableWriter}
