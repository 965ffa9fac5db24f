"""`archioc plot` as a user sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ChannelsArgument,
    ConfigOption,
    EndOption,
    StartOption,
)

app = typer.Typer()


@app.command()
def plot(
    channels: ChannelsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; .png or .svg.")],
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1h",
    end: EndOption = "now",
    width: Annotated[int, typer.Option(min=200, max=10_000, help="Pixels.")] = 1200,
) -> None:
    """Draw one to eight channels: mean with the band from minimum to maximum, gaps shaded, alarms in colour.

    Example: archioc plot SR:DCCT:CURRENT SR:VAC:P1 --start -1d -o day.png
    """
    from archioc.cli.plot.plot import plot_channels

    plot_channels(config, channels, start, end, output, width)
