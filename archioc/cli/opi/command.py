"""`archioc opi` as a user sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def opi(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Output directory; it is created if it does not exist.")]) -> None:
    """Write the Phoebus displays, plots and settings.ini into a directory.

    Example: archioc opi /site/displays/archioc
    """
    from archioc.cli.opi.opi import write_displays

    write_displays(directory)
