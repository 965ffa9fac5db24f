"""Samples of channels as text, one below the other, written as they come."""

from __future__ import annotations

from typing import IO, Protocol

import orjson

from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.csv_columns import CSV_HEADER, csv_cell, csv_lines, safe_csv_cell
from archioc.cli.output.sample_text import flag_words, label_of, plain_value, shown_value
from archioc.cli.output.terminal import TerminalConsole
from archioc.core.dbr import severity_name, status_name
from archioc.core.events import ChannelEvent
from archioc.core.timestamp import format_local, format_span, format_utc
from archioc.db.sample_columns import SampleColumns

GAP_FLAG = "gap:"
"""Before the reason, in place of flags, in the line without a value that tells where a gap begins."""


class SampleWriter(Protocol):
    """One way to write samples."""

    def write(self, found: ChannelResult) -> None:
        """Write one channel, or a part of it that follows the one before."""

    def finish(self) -> None:
        """End the output."""


class CsvWriter:
    """RFC 4180, one header for all channels. gaps: with a line where each gap begins. safe: texts are no formulas of a spreadsheet."""

    def __init__(self, out: IO[str], *, gaps: bool = False, safe: bool = False) -> None:
        self._out, self._gaps, self._cell = out, gaps, safe_csv_cell if safe else csv_cell
        self._out.write(",".join(CSV_HEADER) + "\n")

    def write(self, found: ChannelResult) -> None:
        for piece in found.in_order(found.gaps if self._gaps else ()):
            if isinstance(piece, ChannelEvent):
                stamp, words = piece.time_ns, GAP_FLAG + piece.reason.word
                self._out.write(f"{self._cell(found.channel)},{format_utc(stamp)},{stamp},,,,,{words},\n")
            else:
                self._out.write(csv_lines(found.channel, piece, self._cell))

    def finish(self) -> None:
        """Nothing ends a CSV file."""


class JsonWriter:
    """One array with an object a channel: its samples and the events that concern the range."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._out.write("[")
        self._first = True

    def write(self, found: ChannelResult) -> None:
        """Write a whole channel, sample by sample as they come."""
        self._out.write(("" if self._first else ",") + '\n{"channel":' + orjson.dumps(found.channel).decode() + ',"samples":[')
        self._first = False
        separator = "\n"
        for chunk in found.chunks:
            for at in range(len(chunk)):
                self._out.write(separator + orjson.dumps(sample_document(chunk, at)).decode())
                separator = ",\n"
        self._out.write('\n],"events":' + orjson.dumps([event_document(event) for event in found.events]).decode() + "}")

    def finish(self) -> None:
        """Close the array."""
        self._out.write("\n]\n")


class JsonLinesWriter:
    """An object a line: a sample with its channel. gaps: and an object where each gap begins."""

    def __init__(self, out: IO[str], *, gaps: bool = False) -> None:
        self._out, self._gaps = out, gaps

    def write(self, found: ChannelResult) -> None:
        for piece in found.in_order(found.gaps if self._gaps else ()):
            if isinstance(piece, ChannelEvent):
                self._line({"channel": found.channel, "time": format_utc(piece.time_ns), **event_document(piece)})
            else:
                for at in range(len(piece)):
                    self._line({"channel": found.channel, **sample_document(piece, at)})

    def _line(self, document: dict[str, object]) -> None:
        self._out.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode())

    def finish(self) -> None:
        """Nothing ends a file of lines."""


def sample_document(chunk: SampleColumns, at: int) -> dict[str, object]:
    """A sample as JSON has it."""
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


def event_document(event: ChannelEvent) -> dict[str, object]:
    """An event as JSON has it."""
    told = {"reason": event.reason.word, "time_ns": event.time_ns, "end_ns": event.end_ns, "count": event.count, "text": event.text}
    return told | ({"archiver": event.archiver} if event.archiver else {})


class TableWriter:
    """For people: local time, alarms in colour, gaps in their place."""

    def __init__(self, out: IO[str]) -> None:
        self._console = TerminalConsole(file=out, highlight=False, soft_wrap=True, emoji=False)

    def write(self, found: ChannelResult) -> None:
        """Write one channel under its name."""
        say = self._console.print
        say(found.channel, style="bold", markup=False)
        number = 0
        for piece in found.in_order():
            if isinstance(piece, ChannelEvent):
                say("  " + event_line(piece), style="cyan", markup=False)
                continue
            for at, stamp in enumerate(piece.time.tolist()):
                self._say_sample(piece, at, stamp < found.start_ns)
            number += len(piece)
        say(f"  {number} samples" if number != 1 else "  1 sample", style="dim")

    def _say_sample(self, chunk: SampleColumns, at: int, before: bool) -> None:
        severity = int(chunk.severity[at])
        style = ("", "yellow", "red", "magenta")[min(severity, 3)]
        self._console.print("  " + sample_line(chunk, at, "(before the range)" if before else ""), style=style, markup=False)

    def finish(self) -> None:
        """Nothing ends a table."""


def sample_line(chunk: SampleColumns, at: int, note: str = "") -> str:
    """A sample in a line for people."""
    severity = int(chunk.severity[at])
    alarm = f"{severity_name(severity)} {status_name(int(chunk.status[at]))}" if severity else ""
    notes = " ".join(word for word in (alarm, flag_words(int(chunk.flags[at])), note) if word)
    return f"{format_local(int(chunk.time[at]))}  {shown_value(chunk, at):<24}  {notes}".rstrip()


def event_line(event: ChannelEvent) -> str:
    """An event in a line for people."""
    lasted = f" for {format_span((event.end_ns - event.time_ns) / 1e9)}" if event.end_ns is not None else ""
    count = f", {event.count} updates" if event.count else ""
    text = f": {event.text}" if event.text else ""
    archiver = f" ({event.archiver})" if event.archiver else ""
    return f"{format_local(event.time_ns)}  -- {event.reason.word}{archiver}{lasted}{count}{text}"
