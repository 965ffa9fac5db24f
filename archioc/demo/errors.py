from __future__ import annotations

from pathlib import Path

from archioc.core.errors import ArchiocError


class ChildFailed(ArchiocError):
    """A process that was started ended, or did not become ready in time; the text ends with the last lines of its log."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
        super().__init__(f"{name} {what} (log: {log})" + (f"\n{tail}" if tail else ""))


class DemoRunning(ArchiocError):
    """Another demo uses the same directory."""


class DemoFailed(ArchiocError):
    """The archiver of the demo did not do what the demo asked of it."""
