"""`archioc opi` as a user sees it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Layout(StrEnum):
    """Names of `archioc.opi.displays.SIZES`."""

    SMALL = "1280x800"
    WIDE = "1600x900"


class Theme(StrEnum):
    """Names of `archioc.opi.displays.THEMES`."""

    LIGHT = "light"
    DARK = "dark"


@app.command()
def opi(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Output directory; it is created if it does not exist.")],
    size: Annotated[Layout, typer.Option(help="Layout: the room for each display in pixels.")] = Layout.SMALL,
    theme: Annotated[Theme, typer.Option(help="Colours.")] = Theme.LIGHT,
) -> None:
    """Write the Phoebus displays, plots and settings.ini into a directory.

    Example: archioc opi /site/displays/archioc
    archioc opi /site/displays/archioc-dark --size 1600x900 --theme dark
    """
    from archioc.cli.opi.opi import write_displays

    write_displays(directory, size.value, theme.value)
