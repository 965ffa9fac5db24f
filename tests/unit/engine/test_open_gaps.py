from __future__ import annotations

from pathlib import Path

import pytest

from archioc.core.events import Reason
from archioc.engine.channels.open_gaps import OpenGap, OpenGapsFile

GAPS = {"A:B": OpenGap(Reason.DISCONNECTED, 1_700_000_000_123_456_789), 'C "d"': OpenGap(Reason.DISABLED, 5)}


def test_gaps_are_read_back(tmp_path: Path) -> None:
    """What was written last is read, by another process as well."""
    file = OpenGapsFile(tmp_path / "open_gaps")
    assert file.read() == {}
    file.write(GAPS)
    assert OpenGapsFile(tmp_path / "open_gaps").read() == GAPS
    file.write({})
    assert file.read() == {}


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"A": 1}', b'{"A": [99, 5]}', b'{"A": [1', b'{"A": [1, 2, 3]}', b'{"A": [1, "x"]}'])
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read is no reason not to collect."""
    (tmp_path / "open_gaps").write_bytes(content)
    assert OpenGapsFile(tmp_path / "open_gaps").read() == {}
