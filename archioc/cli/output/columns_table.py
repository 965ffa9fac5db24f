"""Tables with a line for each time or bin: bins of several channels, channels beside each other."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import IO

import orjson

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.formulas import as_text
from archioc.core.timestamp import format_local, format_utc

TIME_COLUMNS = ("time", "time_ns")

Row = tuple[object, ...]


def write_rows(header: Sequence[str], rows: Iterable[Row], form: str, out: IO[str], *, safe: bool = False) -> None:
    """Write lines whose column `time_ns` stands for both of TIME_COLUMNS; form: table, csv, json or jsonl.

    A value is a number, a text, a list or an object; None is an empty cell, null in JSON.
    safe: texts of csv are no formulas of a spreadsheet.
    """
    at = list(header).index("time_ns")
    names = [*header[:at], *TIME_COLUMNS, *header[at + 1 :]]
    timed = ((*row[:at], format_utc(_time(row, at)), row[at], *row[at + 1 :]) for row in rows)
    if form == "csv":
        write_csv(names, timed, out, safe=safe)
    elif form == "json":
        _write_json(names, timed, out)
    elif form == "jsonl":
        for row in timed:
            out.write(_object(names, row) + "\n")
    else:
        _write_text(header, rows, at, out)


def write_csv(names: Sequence[str], rows: Iterable[Row], out: IO[str], *, safe: bool) -> None:
    """A header and lines. safe: texts are no formulas of a spreadsheet."""
    cell = _safe_csv_cell if safe else _csv_cell
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, names))
    writer.writerows(map(cell, row) for row in rows)


def _safe_csv_cell(value: object) -> object:
    return as_text(value) if isinstance(value, str) else _csv_cell(value)


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _write_json(names: Sequence[str], rows: Iterable[Row], out: IO[str]) -> None:
    out.write("[")
    separator = "\n"
    for row in rows:
        out.write(separator + _object(names, row))
        separator = ",\n"
    out.write("\n]\n")


def _object(names: Sequence[str], row: Row) -> str:
    return orjson.dumps(dict(zip(names, row, strict=True))).decode()


def _write_text(header: Sequence[str], rows: Iterable[Row], at: int, out: IO[str]) -> None:
    """Columns as wide as their names or 14 letters, so that lines can be written as they come; the time first."""
    console = TerminalConsole(file=out, highlight=False, soft_wrap=True, emoji=False)
    others = [name for number, name in enumerate(header) if number != at]
    widths = [max(14, len(name)) for name in others]
    console.print(
        f"{'time':<26}  " + "  ".join(f"{name:>{width}}" for name, width in zip(others, widths, strict=True)), style="bold", markup=False
    )
    for row in rows:
        cells = (_cell(value) for number, value in enumerate(row) if number != at)
        line = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        console.print(f"{format_local(_time(row, at))}  {line}", markup=False)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.8g}"
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)


def _time(row: Row, at: int) -> int:
    time_ns = row[at]
    assert isinstance(time_ns, int), "the column time_ns holds whole numbers"
    return time_ns
