"""`archioc status` as a user sees it."""

from __future__ import annotations

from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    FormatOption,
    TableOrJson,
)

app = typer.Typer()


@app.command()
def status(
    pattern: Annotated[str | None, typer.Argument(metavar="CHANNELS", help="Also list the channels that match this glob.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Show the state of the archiver: processes, store, spool, counts.

    Examples: archioc status
    archioc status 'SR:BPM*'
    """
    from archioc.cli.status.status import show_status

    show_status(config, pattern, form.value)
