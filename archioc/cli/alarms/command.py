"""`archioc alarms` as a user sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ChannelsArgument,
    ConfigArgument,
    ConfigOption,
    EndOption,
    FormatOption,
    StartOption,
    TableOrJson,
)
from archioc.opi.display_links import DEFAULT_DISPLAYS, displays_base

app = typer.Typer(help="Configure the site's alarm server; show the alarms of archived channels.", no_args_is_help=True)


@app.command("config")
def alarms_config(
    config: ConfigArgument = DEFAULT_CONFIG,
    part: Annotated[bool, typer.Option("--part", help="Write a component to include in the site's file.")] = False,
    channels: Annotated[
        list[str] | None, typer.Option("--channels", metavar="GROUP", help="Also write an entry for each channel of this group.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the configuration (alarm-server -config) or of the component.")] = "Archiver",
    displays: Annotated[
        str, typer.Option(metavar="URL", help="Directory of the displays, which entries link to; ARCHIOC: a macro of the alarm UI.")
    ] = DEFAULT_DISPLAYS,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Output file; default: standard output.")] = None,
) -> None:
    """Write a configuration for the Phoebus alarm server.

    Examples: archioc alarms config site.yml --output archiver.xml
    archioc alarms config site.yml --part --channels vacuum > archiver-part.xml
    archioc alarms config site.yml --displays file:/site/displays/archioc --output archiver.xml
    """
    from archioc.cli.alarms.alarms import is_topic, write_config

    if not is_topic(name):
        raise typer.BadParameter(f"{name!r}: must be letters, digits, '-', and either '.' or '_', as Kafka has it", param_hint="--name")
    try:
        base = displays_base(displays)
    except ValueError as rule:
        raise typer.BadParameter(f"{displays!r}: {rule}", param_hint="--displays") from None
    write_config(config, name, channels or [], output, base, part=part)


@app.command("history")
def alarms_history(
    channels: ChannelsArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    start: StartOption = "-1d",
    end: EndOption = "now",
    top: Annotated[int, typer.Option(min=1, help="Largest number of channels.")] = 20,
    every: Annotated[bool, typer.Option("--transitions", help="Show each change of an alarm instead of sums.")] = False,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Show which archived channels were in alarm, how often and how long, and which chattered.

    Examples: archioc alarms history '*' --start -7d --top 10
    archioc alarms history 'SR:VAC:*' --transitions --format json
    """
    from archioc.cli.alarms.alarm_history import show_history, show_transitions

    if every:
        show_transitions(config, channels, start, end, form.value)
    else:
        show_history(config, channels, start, end, top, form.value)
