"""`archioc export` as a user sees it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ChannelsArgument,
    ConfigOption,
    EndOption,
    GapsOption,
    StartOption,
)

app = typer.Typer()


class FileFormat(StrEnum):
    """How `export` writes samples; auto: by the suffix of the file."""

    AUTO = "auto"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command()
def export(
    channels: ChannelsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1d",
    end: EndOption = "now",
    form: Annotated[FileFormat, typer.Option("--format", "-f", help="Format of the file; auto: by its suffix.")] = FileFormat.AUTO,
    gaps: GapsOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write the samples of a long range to a file with bounded memory; the file is written completely, or not created.

    Examples: archioc export 'SR:*' --start -30d --output january.parquet
    archioc export SR:DCCT:CURRENT --start 2026-01-01 --end 2026-02-01 -o dcct.csv --gaps
    """
    from archioc.cli.export.export import export_samples

    export_samples(config, channels, start, end, form.value, output, gaps=gaps, force=force)
