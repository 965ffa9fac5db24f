"""The guard in front of libca goes in where it can, and says why where it cannot."""

from __future__ import annotations

import ctypes

import pytest
from epics import ca
from structlog.testing import capture_logs

from archioc.engine.ca import libca_guard
from tests.processes.tools import missing_tool


def test_the_libca_in_use_can_be_guarded() -> None:
    """The libca that pyepics brings has the table that is expected; to guard it twice is as good as once."""
    if not libca_guard.GUARD_BUILT:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    library = ctypes.CDLL(ca.find_libca())
    with capture_logs() as logs:
        assert [libca_guard.guard(library), libca_guard.guard(library)] == [True, True]
    assert logs == []


def test_a_library_without_the_table_is_left_alone() -> None:
    """A libca that exports its C functions only is used as it is, and the log names what it lacks and the risk."""
    if not libca_guard.GUARD_BUILT:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    with capture_logs() as logs:
        assert not libca_guard.guard(ctypes.CDLL(None))
    ((event, reason, risk),) = [(one["event"], one["reason"], one["risk"]) for one in logs]
    assert (event, "tcpJumpTableCAC" in reason) == ("libca_unguarded", True)
    assert "can end the engine" in risk


def test_without_a_compiler_the_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the guard was not built libca is used as it is."""
    monkeypatch.setattr(libca_guard, "GUARD_BUILT", False)
    with capture_logs() as logs:
        assert not libca_guard.guard(ctypes.CDLL(None))
    assert [one["reason"] for one in logs] == ["no C compiler was found when ArchIOC was installed"]
