from __future__ import annotations

import dataclasses
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.errors import SpoolFileDamaged
from archioc.core.spool.batch import COUNTS
from archioc.core.spool.disk import OsDisk
from archioc.core.spool.file import read_tally
from archioc.core.spool.spool import SpoolDirectory, SpoolFile, read_spool_file

_COUNTS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**20)), max_size=5)
_FILES = st.builds(
    lambda batch_id, committed, destination, counts, payload, losses: SpoolFile(
        batch_id, committed, destination, np.array(counts, COUNTS), payload, np.array(losses, COUNTS)
    ),
    st.integers(0, 2**63),
    st.integers(0, 2**62),
    st.text(st.characters(codec="utf-8"), max_size=20),
    _COUNTS,
    st.binary(max_size=200),
    _COUNTS,
)


def a_file(batch_id: int, samples: int = 3) -> SpoolFile:
    return SpoolFile(batch_id, 123, "embedded", np.array([(0, 1, samples)], COUNTS), b"payload %d" % batch_id)


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    directory = SpoolDirectory(tmp_path / "spool")
    directory.create()
    return directory


@pytest.fixture(scope="module")
def one_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool") / "one.batch"


def fill(spool: SpoolDirectory, *batch_ids: int) -> None:
    for batch_id in batch_ids:
        spool.publish(spool.prepare(a_file(batch_id)))


def ids(spool: SpoolDirectory) -> tuple[list[int], list[int]]:
    return [entry.batch_id for entry in spool.waiting()], [entry.batch_id for entry in spool.claimed()]


@settings(deadline=None)  # each writes to a disk, which may be slow
@given(_FILES)
def test_a_file_reads_back_as_written(one_path: Path, file: SpoolFile) -> None:
    """Every field of a spool file survives being written and read."""
    one_path.write_bytes(file.to_bytes())
    found = read_spool_file(one_path)
    assert (found.batch_id, found.committed_ns, found.destination, found.payload) == (
        file.batch_id,
        file.committed_ns,
        file.destination,
        file.payload,
    )
    assert found.counts.tobytes() == file.counts.tobytes()
    assert found.losses.tobytes() == file.losses.tobytes()
    assert file.size == one_path.stat().st_size
    assert [part.tobytes() for part in read_tally(OsDisk(), one_path)] == [file.counts.tobytes(), file.losses.tobytes()]
    assert found.samples == file.samples


@settings(deadline=None)
@given(_FILES, st.data())
def test_any_damage_is_noticed(one_path: Path, file: SpoolFile, data: st.DataObject) -> None:
    """One changed bit, a cut or an addition anywhere raises SpoolFileDamaged."""
    raw = bytearray(file.to_bytes())
    how = data.draw(st.sampled_from(["flip", "cut", "add"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if how == "flip":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "cut":
        del raw[at:]
    else:
        raw.append(0)
    one_path.write_bytes(raw)
    with pytest.raises(SpoolFileDamaged):
        read_spool_file(one_path)


def test_the_format_is_that_of_the_contract() -> None:
    """Header fields lie where `docs/reference/contract/files.md` says, and the CRC covers all other bytes."""
    raw = dataclasses.replace(a_file(7, samples=5), losses=np.array([(4, 1, 9)], COUNTS)).to_bytes()
    assert raw[:8] == b"ArchSpl2"
    assert struct.unpack("<QQIIIIQ", raw[8:48]) == (7, 123, len("embedded"), 1, 1, 0, len("payload 7"))
    assert struct.unpack("<I", raw[48:52]) == (zlib.crc32(raw[:48] + raw[52:]),)
    assert raw[52:] == b"embedded" + struct.pack("<IIIIII", 0, 1, 5, 4, 1, 9) + b"payload 7"


def test_prepared_files_do_not_count(spool: SpoolDirectory) -> None:
    """A file is waiting only when it has been published, and left-overs of a killed engine are removed. (SPL-02, SPL-09)"""
    prepared = spool.prepare(a_file(1))
    assert ids(spool) == ([], [])
    assert not spool.holds(1)
    assert spool.clear_unfinished() == 1
    assert not prepared.path.exists()


def test_oldest_first(spool: SpoolDirectory) -> None:
    """Waiting files are listed by batch id, with samples and size, whatever the order in which they came. (SPL-08)"""
    fill(spool, 10, 2, 3_000_000_000)
    assert ids(spool) == ([2, 10, 3_000_000_000], [])
    entry = spool.waiting()[0]
    assert (entry.samples, spool.stat(entry).size) == (3, a_file(2).size)


def test_claim_put_back_and_remove(spool: SpoolDirectory) -> None:
    """A claimed file is held until it is removed or put back. (SPL-05)"""
    fill(spool, 1, 2)
    first, second = spool.waiting()
    claimed = spool.claim(first)
    assert claimed is not None
    assert ids(spool) == ([2], [1])
    assert spool.holds(1)
    assert spool.claim(first) is None
    spool.put_back(claimed)
    assert ids(spool) == ([1, 2], [])
    claimed = spool.claim(second)
    assert claimed is not None
    spool.put_back(claimed)
    claimed = spool.claim(second)
    assert claimed is not None
    spool.remove(claimed)
    assert not spool.holds(2)
    assert ids(spool) == ([1], [])


def test_a_file_taken_out_is_nobody_elses(spool: SpoolDirectory) -> None:
    """A claimed file cannot be taken out nor one taken out be claimed; what is not discarded comes back. (SPL-05, SPL-09)"""
    fill(spool, 1, 2, 3)
    first, second, third = spool.waiting()
    spool.claim(first)
    assert spool.withdraw(first) is None
    taken = spool.withdraw(second)
    assert taken is not None
    assert spool.claim(second) is None
    assert [entry.batch_id for entry in spool.withdrawn()] == [2]
    spool.discard(taken)
    assert spool.withdraw(third) is not None
    assert ids(spool) == ([], [1])
    assert spool.return_taken() == 1
    assert ids(spool) == ([3], [1])


def test_a_damaged_file_is_set_aside(spool: SpoolDirectory) -> None:
    """A file set aside is neither waiting nor claimed."""
    fill(spool, 7)
    claimed = spool.claim(spool.waiting()[0])
    assert claimed is not None
    spool.set_aside(claimed)
    assert ids(spool) == ([], [])
    assert [entry.batch_id for entry in spool.damaged()] == [7]
