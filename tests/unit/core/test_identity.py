from __future__ import annotations

from pathlib import Path

import pytest

from archioc.core.identity import ID_FILE, read_id, state_id, write_id


def test_a_state_directory_keeps_its_id(tmp_path: Path) -> None:
    """The id is made once; another directory has another one; a copy of the file carries it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    made = state_id(tmp_path / "a")
    assert state_id(tmp_path / "a") == made == read_id(tmp_path / "a")
    assert read_id(tmp_path / "b") == ""
    assert state_id(tmp_path / "b") != made
    write_id(tmp_path / "b", made)
    assert state_id(tmp_path / "b") == made


@pytest.mark.parametrize("content", [b"", b"\0" * 33, b"ab\n", b"\xff" * 32 + b"\n"])
def test_a_damaged_id_is_no_id(tmp_path: Path, content: bytes) -> None:
    """A file that holds no id makes nobody's run directory ours: a new one is made, and the log says so."""
    (tmp_path / ID_FILE).write_bytes(content)
    assert read_id(tmp_path) == ""
    assert len(state_id(tmp_path)) == 32
