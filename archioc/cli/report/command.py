"""`archioc report` as a user sees it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    FormatOption,
    TableOrJson,
)

app = typer.Typer()


class Report(StrEnum):
    """What `report` tells."""

    NEVER = "never"
    SILENT = "silent"
    NOISY = "noisy"
    DROPPED = "dropped"
    STORAGE = "storage"
    CLOCKS = "clocks"


@app.command()
def report(
    what: Annotated[Report, typer.Argument(metavar="WHAT", help="The property to report.")],
    config: ConfigOption = DEFAULT_CONFIG,
    top: Annotated[int, typer.Option(min=1, help="Largest number of channels.")] = 50,
    older: Annotated[str, typer.Option(help="silent: no update for this time.")] = "1h",
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """List channels that never connected, are silent, noisy, have lost samples, or fill the store, or servers by their clocks, worst first.

    Examples: archioc report never
    archioc report silent --older 1d
    archioc report storage --top 10 --format json
    archioc report clocks
    """
    from archioc.cli.report.report import show_report

    show_report(config, what.value, top, older, form.value)
