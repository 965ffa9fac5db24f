"""`archioc explain` as a user sees it."""

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


# A time may begin with a minus, and the h of -1h must not ask for help; the word -h alone does.
@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
def explain(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="One channel.")],
    time: Annotated[str, typer.Argument(metavar="TIME", help="ISO 8601, -1h, -30min, now.")] = "now",
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Explain what was stored around a time, and why a value is missing.

    Examples: archioc explain SR:DCCT:CURRENT 2026-01-31T12:00:05
    archioc explain SR:DCCT:CURRENT -10min --format json
    """
    if "-h" in {channel, time}:
        typer.echo(context.get_help())
        raise typer.Exit
    from archioc.cli.explain.explain import explain_moment

    explain_moment(config, channel, time, form.value)
