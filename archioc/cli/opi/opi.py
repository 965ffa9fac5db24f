"""`archioc opi`: the displays for Phoebus."""

from __future__ import annotations

import sys
from pathlib import Path

from archioc.core.errors import OutputError
from archioc.opi import displays


def write_displays(directory: Path, size: str, theme: str) -> None:
    """Write them and tell what was written. Raises OutputError."""
    try:
        written = displays.write(directory, displays.SIZES[size], theme)
    except OSError as error:
        raise OutputError(f"{error.filename or directory}: cannot be written: {error.strerror or error}") from None
    sys.stdout.write(f"{directory}: {len(written)} files; the first display is main.bob, macro P is the prefix\n")
