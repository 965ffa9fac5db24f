from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archioc.core.errors import RunDirError
from archioc.core.table.mapped_file import HEAD_AT, PAGE, MappedFile, boot_id

HEAD = np.dtype([("count", "<i8")])
CELL = np.dtype([("a", "<i4"), ("b", "<f8")])


def file_at(path: Path, magic: bytes = b"Test", version: int = 1, cell: np.dtype[np.void] = CELL) -> MappedFile:
    return MappedFile(path, magic, version, HEAD, cell)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "some.table"
    file_at(made).create(10)
    return made


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB in memory; making one takes root."""
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_new_file_is_zero(path: Path) -> None:
    """A file just made has its cells and header fields at zero, and nothing else lies beside it."""
    file = file_at(path)
    file.open()
    assert (len(file.cells), any(file.cells.tobytes()), int(file.head["count"][0])) == (10, False, 0)
    assert list(path.parent.iterdir()) == [path]
    file.close()


def test_two_mappings_see_one_another(path: Path) -> None:
    """What one process writes, another that has the file open reads."""
    writer, reader = file_at(path), file_at(path)
    writer.open()
    reader.open()
    writer.cells["b"][3] = 2.5
    writer.head["count"] = 7
    assert (float(reader.cells["b"][3]), int(reader.head["count"][0])) == (2.5, 7)
    writer.close()
    reader.close()


def test_content_outlives_the_mapping(path: Path) -> None:
    """A file that is opened again is as it was left, and made anew it is empty."""
    file = file_at(path)
    file.open()
    file.cells["a"] = 5
    file.close()
    file.open()
    assert (file.cells["a"] == 5).all()
    file.close()
    file.create(4)
    file.open()
    assert file.cells["a"].tolist() == [0] * 4
    file.close()


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named, with a hint."""
    with pytest.raises(RunDirError, match=r"none\.table: is missing; is the archiver running\?"):
        file_at(tmp_path / "none.table").open()


@pytest.mark.parametrize(
    "other",
    [{"magic": b"Tost"}, {"version": 2}, {"cell": np.dtype([("a", "<i4")])}],
    ids=["magic", "version", "cell"],
)
def test_a_file_of_another_version_is_refused(path: Path, other: dict[str, object]) -> None:
    """Another kind, version or cell size is never read as if it were ours."""
    with pytest.raises(RunDirError, match="was made by another version of ArchIOC"):
        file_at(path, **other).open()  # type: ignore[arg-type]


def test_a_file_of_an_earlier_boot_is_refused(path: Path) -> None:
    """What is left from before a reboot is refused as such."""
    raw = bytearray(path.read_bytes())
    at = raw.index(boot_id())
    raw[at : at + 4] = b"dead"
    path.write_bytes(raw)
    with pytest.raises(RunDirError, match="is left over from before the last reboot"):
        file_at(path).open()


@pytest.mark.parametrize("size", [0, 10, PAGE - 1, PAGE, PAGE + 10, PAGE + 10 * CELL.itemsize + 1])
def test_a_file_of_another_size_is_refused(path: Path, size: int) -> None:
    """A file that was cut short or has grown is refused, with its size."""
    os.truncate(path, size)
    with pytest.raises(RunDirError, match=f"has (only )?{size} bytes"):
        file_at(path).open()


def test_a_header_beyond_its_page_is_refused(tmp_path: Path) -> None:
    """Header fields that do not fit in the first page are a mistake of the programmer."""
    with pytest.raises(ValueError, match=r"x\.table: header of 4096 bytes does not fit"):
        MappedFile(tmp_path / "x.table", b"Test", 1, np.dtype([("text", f"S{PAGE}")]), CELL)
    MappedFile(tmp_path / "x.table", b"Test", 1, np.dtype([("text", f"S{PAGE - HEAD_AT}")]), CELL)


def test_reserving_backs_the_cells(path: Path) -> None:
    """Reserved cells have blocks behind them and keep their content; the file does not grow."""
    file = file_at(path)
    file.create(100_000)
    file.open()
    file.cells["a"][0] = 9
    sparse = path.stat().st_blocks
    size = path.stat().st_size
    file.reserve(100_000)
    assert path.stat().st_blocks * 512 >= size > sparse * 512
    assert (path.stat().st_size, int(file.cells["a"][0])) == (size, 9)
    file.close()


def test_no_memory_is_an_error_and_no_crash(small_tmpfs: Path) -> None:
    """Where the run directory is full, reserving fails with ENOSPC; a write to such a hole would have killed the process."""
    file = file_at(small_tmpfs / "big.table")
    file.create(100_000)
    file.reserve(100)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file.reserve(100_000)
