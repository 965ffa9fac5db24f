"""All files for Phoebus that are shipped, and how they come into a directory."""

from __future__ import annotations

from pathlib import Path

from archioc.opi import bob, plots, settings
from archioc.opi.dark import darken
from archioc.opi.screens.add import add
from archioc.opi.screens.audit import audit
from archioc.opi.screens.channel import channel
from archioc.opi.screens.channels import channels
from archioc.opi.screens.database import database
from archioc.opi.screens.groups import groups
from archioc.opi.screens.history import history
from archioc.opi.screens.limits import limits
from archioc.opi.screens.overview import overview
from archioc.opi.style import SMALL, WIDE, Size

SCREENS = (overview, channels, channel, add, groups, database, history, limits, audit)

SIZES = {f"{size.width}x{size.height}": size for size in (SMALL, WIDE)}
"""The layouts by name."""

THEMES = ("light", "dark")

SHIPPED = Path(__file__).parent / "phoebus"
"""The files as they are in the distribution: the smaller layout, light."""


def files(size: Size = SMALL, theme: str = "light") -> dict[str, str]:
    """The content of every generated file by its name."""
    screens = {made.file: bob.to_xml(made) for made in (screen(size) for screen in SCREENS)}
    drawn = screens | {plot.file: plots.to_xml(plot) for plot in plots.PLOTS}
    if theme == "dark":
        drawn = {name: darken(content) for name, content in drawn.items()}
    return drawn | {settings.FILE: settings.TEXT}


def write(directory: Path, size: Size = SMALL, theme: str = "light") -> list[Path]:
    """Write all files into a directory, which is made if it is not there; the files that were written. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in sorted(files(size, theme).items()):
        path = directory / name
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written
