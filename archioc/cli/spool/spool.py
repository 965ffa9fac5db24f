"""`archioc spool`: what waits for the store, from the files themselves, whether an archiver runs or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
from rich.table import Table

from archioc.cli.output.sample_text import exact, flag_words
from archioc.cli.output.terminal import TerminalConsole
from archioc.core.config.file import load_config
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.directories import Directories
from archioc.core.errors import SpoolError, SpoolFileDamaged
from archioc.core.spool.batch import NO_BLOB, Batch, Kind, decode_text
from archioc.core.spool.encoding import EMBEDDED
from archioc.core.spool.encoding.columns import decode_columns
from archioc.core.spool.encoding.compression import decompress
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.core.timestamp import format_local, format_utc

STATES = ("waiting", "sending", "dropping", "damaged")


def list_spool(path: Path, form: str) -> None:
    """Write a line for each batch in the spool, oldest first. Raises ConfigError, SpoolError."""
    spool = _spool_of(path)
    found = [(state, entry, spool.stat(entry)) for state, entry in _batches(spool)]
    if form == "json":
        lines = [
            {"batch": entry.batch_id, "state": state, "written_ns": stat.modified_ns, "samples": entry.samples, "bytes": stat.size}
            for state, entry, stat in found
        ]
        sys.stdout.write(orjson.dumps(lines).decode() + "\n")
        return
    table = Table("batch", "state", "written", box=None, pad_edge=False)
    table.add_column("samples", justify="right")
    table.add_column("bytes", justify="right")
    for state, entry, stat in found:
        table.add_row(str(entry.batch_id), state, format_local(stat.modified_ns), str(entry.samples), str(stat.size))
    TerminalConsole(highlight=False, width=None if sys.stdout.isatty() else 200).print(table if found else "no batch waits for the store")


def show_batches(path: Path, batches: list[int]) -> None:
    """Write header and samples of these batches as text. Raises ConfigError, SpoolError, SpoolFileDamaged."""
    spool = _spool_of(path)
    for batch in batches:
        file = _read(spool, batch)
        head = (
            ("batch", file.batch_id),
            ("committed", format_utc(file.committed_ns)),
            ("destination", file.destination),
            ("samples", file.samples),
            ("channels", len(file.counts)),
            ("losses", int(file.losses["samples"].sum())),
        )
        sys.stdout.writelines(f"# {name} {value}\n" for name, value in head)
        sys.stdout.writelines(_lines(file))


def _spool_of(path: Path) -> SpoolDirectory:
    directories = Directories(load_config(path).archiver.state_dir)
    if not directories.spool.is_dir():
        raise SpoolError(f"{directories.spool}: there is no spool; no archiver has run with this configuration")
    return SpoolDirectory(directories.spool)


def _batches(spool: SpoolDirectory) -> list[tuple[str, SpoolEntry]]:
    """State and entry of each batch. One that moves on while we look is listed once, as what it was first."""
    parts = zip(STATES, (spool.waiting(), spool.claimed(), spool.withdrawn(), spool.damaged()), strict=True)
    found: dict[int, tuple[str, SpoolEntry]] = {}
    for state, entries in parts:
        for entry in entries:
            found.setdefault(entry.batch_id, (state, entry))
    return [found[batch_id] for batch_id in sorted(found)]


def _read(spool: SpoolDirectory, batch: int) -> SpoolFile:
    for _ in STATES:  # it may move on between the look and the reading
        for _, entry in _batches(spool):
            if entry.batch_id == batch:
                try:
                    return spool.read(entry)
                except FileNotFoundError:
                    break
    raise SpoolError(f"batch {batch}: is not in {spool.root}; what is there: archioc spool ls")


def _lines(file: SpoolFile) -> Iterator[str]:
    try:
        if file.destination == EMBEDDED:
            return iter(list(_column_lines(decode_columns(file.payload))))
        return iter([decompress(file.payload).decode()])
    except ValueError as error:
        raise SpoolFileDamaged(Path(str(file.batch_id)), f"its payload cannot be read: {error}") from None


def _column_lines(batch: Batch) -> Iterator[str]:
    for one in batch.samples:
        flags = flag_words(int(one["flags"]))
        words = (batch.names[int(one["row"])], format_utc(int(one["time"])), _value(batch, one), int(one["severity"]), int(one["status"]))
        yield " ".join(map(str, words)) + (f" {flags}" if flags else "") + "\n"
    for meta in batch.metas:
        yield f"# meta {meta.channel} {format_utc(meta.time_ns)} {Dbr(meta.dbr).name}[{meta.count}] {meta.units}\n"
    for event in batch.events:
        end = f" until {format_utc(event.end_ns)}" if event.end_ns is not None else ""
        yield f"# event {event.channel} {format_utc(event.time_ns)}{end} {event.reason.word} {event.count} {event.text}".rstrip() + "\n"
    for record in batch.audit:
        yield f"# audit {format_utc(record.time_ns)} {record.user}@{record.peer} {record.pv} {record.new!r} {record.outcome!r}\n"


def _value(batch: Batch, sample: np.void) -> str:
    """The value of a sample: a number, a text as JSON, or how many elements an array has."""
    kind, blob = Kind(int(sample["kind"])), int(sample["blob"])
    if kind is Kind.TEXT and blob != NO_BLOB:
        return orjson.dumps(decode_text(batch.blobs[blob])).decode()
    if kind is Kind.ARRAY and blob != NO_BLOB:
        return f"{len(batch.blobs[blob]) // ELEMENT_DTYPE[Dbr(int(sample['dbr']))].itemsize} elements"
    return str(exact(float(sample["value"])))
