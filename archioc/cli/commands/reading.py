"""`archioc get`, `plot`, `export`, `explain`, `report`, `status`: what is in the archive, and how it does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.commands.options import (
    DEFAULT_CONFIG,
    ChannelsArgument,
    ConfigOption,
    EndOption,
    FormatOption,
    StartOption,
    TableOrJson,
)

app = typer.Typer()


class SampleFormat(StrEnum):
    """How samples are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


class FileFormat(StrEnum):
    """How `export` writes samples; auto: by the suffix of the file."""

    AUTO = "auto"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Report(StrEnum):
    """What `report` tells."""

    NEVER = "never"
    SILENT = "silent"
    NOISY = "noisy"
    DROPPED = "dropped"
    STORAGE = "storage"


GapsOption = Annotated[bool, typer.Option("--gaps", help="A line without a value where a gap begins (csv, jsonl, parquet).")]


@app.command()
def get(
    channels: ChannelsArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1h",
    end: EndOption = "now",
    form: Annotated[SampleFormat, typer.Option("--format", "-f", help="How to write them.")] = SampleFormat.TABLE,
    bins: Annotated[int | None, typer.Option(min=1, help="Statistics in so many bins of equal width.")] = None,
    stat: Annotated[str | None, typer.Option(help="With --bins: min,max,mean,std,first,last,non_finite,severity.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Only the value in force at the end.")] = False,
    align: Annotated[bool, typer.Option("--align", help="A column for each channel, a line for each time.")] = False,
    gaps: GapsOption = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    as_stored: Annotated[bool, typer.Option("--as-stored", help="Do not follow renamings: names as the store has them.")] = False,
) -> None:
    """Show stored samples, whether the archiver runs or not.

    Examples: archioc get SR:DCCT:CURRENT --start -10min
    archioc get 'SR:VAC:*' --start 2026-01-31T00:00Z --end 2026-02-01T00:00Z --format csv
    archioc get SR:DCCT:CURRENT --start -1d --bins 24 --stat mean,min,max
    archioc get 'SR:VAC:*' --last
    """
    from archioc.cli.get import Wanted, get_samples

    get_samples(config, Wanted(tuple(channels), start, end, form.value, bins, stat, last, align, gaps, output, as_stored))


@app.command()
def export(
    channels: ChannelsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1d",
    end: EndOption = "now",
    form: Annotated[FileFormat, typer.Option("--format", "-f", help="How to write them.")] = FileFormat.AUTO,
    gaps: GapsOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the samples of long ranges to a file: in parts, with bounded memory, and the file is there whole or not at all.

    Examples: archioc export 'SR:*' --start -30d --output january.parquet
    archioc export SR:DCCT:CURRENT --start 2026-01-01 --end 2026-02-01 -o dcct.csv --gaps
    """
    from archioc.cli.export import export_samples

    export_samples(config, channels, start, end, form.value, output, gaps=gaps, force=force)


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
    from archioc.cli.plot import plot_channels

    plot_channels(config, channels, start, end, output, width)


# A time may begin with a minus, and the h of -1h shall not ask for help.
@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
def explain(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="One channel.")],
    time: Annotated[str, typer.Argument(metavar="TIME", help="ISO 8601, -1h, -30min, now.")] = "now",
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Tell what was stored around a moment, and why something was not.

    Examples: archioc explain SR:DCCT:CURRENT 2026-01-31T12:00:05
    archioc explain SR:DCCT:CURRENT -10min --format json
    """
    from archioc.cli.explain import explain_moment

    explain_moment(config, channel, time, form.value)


@app.command()
def report(
    what: Annotated[Report, typer.Argument(metavar="WHAT", help="What they have in common.")],
    config: ConfigOption = DEFAULT_CONFIG,
    top: Annotated[int, typer.Option(min=1, help="At most so many channels.")] = 50,
    older: Annotated[str, typer.Option(help="silent: no update for so long.")] = "1h",
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """List channels that never connected, are silent, noisy, have lost samples, or fill the store, worst first.

    Examples: archioc report never
    archioc report silent --older 1d
    archioc report storage --top 10 --format json
    """
    from archioc.cli.report import show_report

    show_report(config, what.value, top, older, form.value)


@app.command()
def status(
    pattern: Annotated[str | None, typer.Argument(metavar="CHANNELS", help="Also list the channels that match; globs work.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Show how the archiver does: processes, store, spool, counts.

    Examples: archioc status
    archioc status 'SR:BPM*'
    """
    from archioc.cli.status import show_status

    show_status(config, pattern, form.value)
