"""`archioc get`, `export` and `plot` on an embedded store with samples of every kind."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from archioc.cli.output.output_file import whole_file
from archioc.cli.selection import Span
from archioc.cli.windows import MANY, Windows
from archioc.core.dbr import Dbr
from archioc.core.errors import OutputError, UnknownChannel, UsageError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import T0, Point
from tests.archives.stored_archive import StoredArchive, make_archive

COUNTS = [Point("COUNT", T0 + at * SECOND, float(at), severity=at % 3) for at in range(10) if not 4 <= at < 7]
GAP = ChannelEvent("COUNT", T0 + 4 * SECOND, Reason.DISCONNECTED, end_ns=T0 + 7 * SECOND)
OTHERS = [
    Point("MODE", T0 + SECOND, 1.0, blob=b"Beam", kind=Kind.ENUM, dbr=Dbr.ENUM),
    Point("TEXT", T0 + 2 * SECOND, blob=b"on, air", kind=Kind.TEXT, dbr=Dbr.STRING),
    Point("WAVE", T0 + 3 * SECOND, blob=np.array([1.0, 2.5]).tobytes(), kind=Kind.ARRAY),
]
ALL = ("--start", format_utc(T0), "--end", format_utc(T0 + 10 * SECOND))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> StoredArchive:
    made = make_archive(tmp_path_factory.mktemp("archive"))
    made.store([*COUNTS, *OTHERS], [GAP], [ChannelMeta("COUNT", T0, Dbr.DOUBLE, 1, "ioc", units="mA")])
    return made


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_value_in_force(archive: StoredArchive) -> None:
    """--last gives of each channel the one sample that holds at the end, and --at the same of its time."""
    moment = format_utc(T0 + 8 * SECOND)
    found = archive.read_json("get", "*", "--last", "--end", moment)
    assert archive.read_json("get", "*", "--at", moment) == found
    assert {one["channel"]: one["samples"][0]["value"] for one in found} == {"COUNT": 8, "MODE": 1, "TEXT": "on, air", "WAVE": [1, 2.5]}


def test_channels_beside_each_other(archive: StoredArchive) -> None:
    """--align holds each value until the next, and leaves it empty before the first sample and within a gap."""
    found = rows(archive.read("get", "COUNT", "TEXT", "WAVE", "--align", "-f", "csv", *ALL))
    assert [int(row["time_ns"]) - T0 for row in found] == [at * SECOND for at in (0, 1, 2, 3, 4, 7, 8, 9)]
    assert [row["COUNT"] for row in found] == ["0", "1", "2", "3", "", "7", "8", "9"]
    assert [row["TEXT"] for row in found] == ["", "", *["on, air"] * 6]
    assert [row["WAVE"] for row in found] == ["", "", "", *["[1,2.5]"] * 5]


def test_bins(archive: StoredArchive) -> None:
    """--bins gives the statistics asked for of each bin, nothing where there is no number, and the gap that lies in it."""
    found = rows(archive.read("get", "COUNT", "--bins", "5", "--stat", "mean,max,severity", "-f", "csv", *ALL))
    assert [row["count"] for row in found] == ["2", "2", "0", "1", "2"]
    assert [row["mean"] for row in found] == ["0.5", "2.5", "", "7", "8.5"]
    assert [row["severity"] for row in found] == ["1", "2", "0", "1", "2"]
    assert [row["gap"] for row in found] == ["", "", "disconnected", "disconnected", ""]


def test_bins_beside_each_other(archive: StoredArchive) -> None:
    """--bins with --align has a column for each channel and statistic."""
    found = json.loads(archive.read("get", "COUNT", "MODE", "--bins", "2", "--align", "--stat", "min,max", "-f", "json", *ALL))
    assert [list(row) for row in found] == [["time", "time_ns", "COUNT:min", "COUNT:max", "MODE:min", "MODE:max"]] * 2
    assert [[row["COUNT:max"], row["MODE:min"]] for row in found] == [[3, 1], [9, None]]


def test_gaps_in_lines(archive: StoredArchive) -> None:
    """--gaps puts a line without a value where a gap begins, in CSV as in lines of JSON."""
    lines = rows(archive.read("get", "COUNT", "--gaps", "-f", "csv", *ALL))
    assert [(row["value"], row["flags"]) for row in lines][3:6] == [("3", ""), ("", "gap:disconnected"), ("7", "")]
    documents = [json.loads(line) for line in archive.read("get", "COUNT", "--gaps", "-f", "jsonl", *ALL).splitlines()]
    assert [one.get("value", one.get("reason")) for one in documents] == [0, 1, 2, 3, "disconnected", 7, 8, 9]


def test_every_form_has_the_same_samples(archive: StoredArchive, tmp_path: Path) -> None:
    """Parquet, CSV and lines of JSON of an export hold the same values, texts, labels, elements, gaps and times."""
    files = {suffix: tmp_path / f"all.{suffix}" for suffix in ("parquet", "csv", "jsonl")}
    for file in files.values():
        told = archive.read("export", "*", "--output", str(file), "--gaps", *ALL)
        assert told.endswith("10 samples of 4 channels\n")
    with duckdb.connect() as connection:
        found = connection.execute(
            "select channel, time_ns, coalesce(text, elements::varchar, value::varchar, ''), coalesce(label, ''), flags"
            " from read_parquet(?)",
            [str(files["parquet"])],
        ).fetchall()
    lines = rows(files["csv"].read_text())
    plain = [(row["channel"], int(row["time_ns"]), _as_parquet(row["value"]), row["label"], row["flags"]) for row in lines]
    assert found == plain
    documents = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    assert [(one["channel"], one["time_ns"]) for one in documents] == [row[:2] for row in found]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all.csv", "all.jsonl", "all.parquet"]


def _as_parquet(value: str) -> str:
    return {"[1,2.5]": "[1.0, 2.5]"}.get(value, f"{float(value):.1f}" if value.isdigit() else value)


def test_bins_as_parquet(archive: StoredArchive, tmp_path: Path) -> None:
    """Bins as Parquet have the numbers that they have as CSV."""
    file = tmp_path / "bins.parquet"
    archive.read("get", "COUNT", "--bins", "5", "-f", "parquet", "-o", str(file), *ALL)
    with duckdb.connect() as connection:
        found = connection.execute("select count, gap, max from read_parquet(?)", [str(file)]).fetchall()
    assert [row[:2] for row in found] == [(2, None), (2, None), (0, "disconnected"), (1, "disconnected"), (2, None)]
    assert [row[2] for row in found if row[0]] == [1, 3, 7, 9]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("get", "COUNT", "--at", "now", "--last"), "--at: goes with none of --last, --bins and --align"),
        (("get", "COUNT", "--last", "--bins", "3"), "--last: goes with neither --bins nor --align"),
        (("get", "COUNT", "--stat", "mean"), "--stat: needs --bins"),
        (
            ("get", "COUNT", "--bins", "3", "--stat", "mode"),
            "--stat mode: there are min, max, mean,",
        ),
        (("get", "COUNT", "--safe"), "--safe: is for --format csv"),
        (("audit", "--safe", "-f", "json"), "--safe: is for --format csv"),
        (("export", "COUNT", "-o", "a.jsonl", "--safe"), "--safe: is for csv"),
        (("get", "COUNT", "-f", "parquet"), "--format parquet: needs --output FILE"),
        (
            ("export", "COUNT", "-o", "a.xls"),
            "a.xls: its suffix tells no format; there are .csv, ",
        ),
        (("plot", "COUNT", "-o", "a.gif"), "a.gif: its suffix must be .png or .svg"),
    ],
)
def test_wrong_usage(archive: StoredArchive, words: Sequence[str], rule: str) -> None:
    """What does not go together is an error that names the option and the rule."""
    with pytest.raises(UsageError) as found:
        archive.run(*words)
    assert str(found.value).startswith(rule)


def _write_half(path: Path) -> None:
    with whole_file(path) as place:
        place.write_text("half")
        raise KeyboardInterrupt


def test_ctrl_c_leaves_no_half_file(tmp_path: Path) -> None:
    """When writing is interrupted neither the file nor what was written of it is left, and one that was there stays."""
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        _write_half(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "before")]


def test_safe_files_have_no_formulas(tmp_path: Path) -> None:
    """With --safe names and texts of CSV that begin like a formula have a mark before them, in get, export and beside each other."""
    formulas = make_archive(tmp_path)
    formulas.store([Point("=1+1", T0, blob=b"=cmd|' /C calc'!A0", kind=Kind.TEXT), Point("@N", T0, -1.5)])
    path = tmp_path / "a.csv"
    formulas.read("export", "=1+1", "@N", "-o", str(path), "--safe", *ALL)
    for text in (path.read_text(), formulas.read("get", "=1+1", "@N", "-f", "csv", "--safe", *ALL)):
        assert [(row["channel"], row["value"]) for row in rows(text)] == [("'=1+1", "'=cmd|' /C calc'!A0"), ("'@N", "-1.5")]
    aligned = rows(formulas.read("get", "=1+1", "@N", "-f", "csv", "--align", "--safe", *ALL))
    assert (aligned[-1]["'=1+1"], aligned[-1]["'@N"]) == ("'=cmd|' /C calc'!A0", "-1.5")
    binned = rows(formulas.read("get", "@N", "-f", "csv", "--bins", "1", "--stat", "min", "--safe", *ALL))
    assert (binned[0]["channel"], binned[0]["min"]) == ("'@N", "-1.5")
    assert rows(formulas.read("get", "=1+1", "-f", "csv", *ALL))[0]["value"] == "=cmd|' /C calc'!A0"


def test_a_file_that_is_there_is_kept(archive: StoredArchive, tmp_path: Path) -> None:
    """Export replaces a file only with --force, and says so; a channel that is not there leaves nothing behind."""
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(OutputError, match="is there already; --force replaces it"):
        archive.run("export", "COUNT", "-o", str(path), *ALL)
    with pytest.raises(UnknownChannel):
        archive.run("export", "NOPE", "-o", str(path), "--force", *ALL)
    assert path.read_text() == "before"
    archive.read("export", "COUNT", "-o", str(path), "--force", *ALL)
    assert path.read_text().startswith("channel,time,")
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("per_second", [0, 1, 1_000_000])
def test_windows_cover_a_range_once(per_second: int) -> None:
    """The parts of a range follow each other without a hole; where much is stored they become short, otherwise few."""
    span = Span(T0, T0 + 30 * 86400 * SECOND if per_second < 2 else T0 + 7300 * SECOND)
    windows, parts = Windows(span), list[Span]()
    while (part := windows.pop()) is not None:
        parts.append(part)
        windows.saw(per_second * (part.end_ns - part.start_ns) // SECOND)
    assert parts[0].start_ns == span.start_ns
    assert [one.end_ns + 1 for one in parts[:-1]] == [one.start_ns for one in parts[1:]]
    assert parts[-1].end_ns == span.end_ns
    assert windows.done == 1
    if per_second > 1:
        assert (parts[-2].end_ns - parts[-2].start_ns) / SECOND * per_second <= 4 * MANY
    else:
        assert len(parts) < 60


def plot(archive: StoredArchive, *words: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: matplotlib keeps the files of its fonts open."""
    command = [sys.executable, "-m", "archioc", "plot", *words, "--config", str(archive.config), *ALL]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_picture_shows_gaps_and_alarms(archive: StoredArchive, tmp_path: Path) -> None:
    """A plot has the gap shaded and the alarms marked."""
    picture = tmp_path / "a.svg"
    done = plot(archive, "COUNT", "MODE", "-o", str(picture))
    assert (done.returncode, done.stdout) == (0, f"{picture}: COUNT, MODE\n"), done.stderr
    content = picture.read_text()
    assert all(f'id="{part}"' in content for part in ("gap-0-disconnected", "severity-1", "severity-2"))


def test_a_text_is_not_drawn(archive: StoredArchive, tmp_path: Path) -> None:
    """A channel with texts alone is refused by name, and leaves no file."""
    done = plot(archive, "TEXT", "-o", str(tmp_path / "a.png"))
    assert (done.returncode, done.stderr) == (1, "archioc: TEXT: has texts or arrays, which are not drawn; archioc get shows them\n")
    assert not list(tmp_path.iterdir())
