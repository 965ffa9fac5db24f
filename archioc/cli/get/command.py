"""`archioc get` as a user sees it."""

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
    SafeOption,
    StartOption,
)

app = typer.Typer()


class SampleFormat(StrEnum):
    """How samples are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command()
def get(
    channels: ChannelsArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1h",
    end: EndOption = "now",
    form: Annotated[SampleFormat, typer.Option("--format", "-f", help="Output format.")] = SampleFormat.TABLE,
    bins: Annotated[int | None, typer.Option(min=1, help="Statistics in this many bins of equal width.")] = None,
    stat: Annotated[str | None, typer.Option(help="With --bins, some of: min, max, mean, std, first, last, non_finite, severity.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Only the last value at or before --end.")] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="The values in force at this time; the same as --last --end TIME.")] = None,
    align: Annotated[bool, typer.Option("--align", help="A column for each channel, a line for each time.")] = False,
    gaps: GapsOption = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    as_stored: Annotated[bool, typer.Option("--as-stored", help="Do not follow renamings; use the names in the store.")] = False,
    safe: SafeOption = False,
) -> None:
    """Show stored samples, whether the archiver runs or not.

    Examples: archioc get SR:DCCT:CURRENT --start -10min
    archioc get 'SR:VAC:*' --start 2026-01-31T00:00Z --end 2026-02-01T00:00Z --format csv
    archioc get SR:DCCT:CURRENT --start -1d --bins 24 --stat mean,min,max
    archioc get 'SR:VAC:*' --at 'yesterday 08:30'
    """
    from archioc.cli.get.get import GetOptions, get_samples

    get_samples(config, GetOptions(tuple(channels), start, end, form.value, bins, stat, last, align, gaps, output, as_stored, safe, at))
