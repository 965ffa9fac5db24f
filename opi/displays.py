"""All files for Phoebus that are shipped, and how they come into a directory."""

from __future__ import annotations

from pathlib import Path

from archioc.opi import bob, plots, settings
from archioc.opi.screens.add import add
from archioc.opi.screens.audit import audit
from archioc.opi.screens.channel import channel
from archioc.opi.screens.channels import channels
from archioc.opi.screens.database import database
from archioc.opi.screens.groups import groups
from archioc.opi.screens.history import history
from archioc.opi.screens.limits import limits
from archioc.opi.screens.overview import overview

SCREENS = (overview, channels, channel, add, groups, database, history, limits, audit)

SHIPPED = Path(__file__).parent / "phoebus"
"""The files as they are in the distribution."""


def files() -> dict[str, str]:
    """The content of every generated file by its name."""
    screens = {made.file: bob.to_xml(made) for made in (screen() for screen in SCREENS)}
    return screens | {plot.file: plots.to_xml(plot) for plot in plots.PLOTS} | {settings.FILE: settings.TEXT}


def write(directory: Path) -> list[Path]:
    """Write all files into a directory, which is made if it is not there; the files that were written. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in sorted(files().items()):
        path = directory / name
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written
