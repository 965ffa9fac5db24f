"""`archioc quarantine`."""

from __future__ import annotations

from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, ConfigOption, FormatOption, TableOrJson

app = typer.Typer(help="List, show, retry and export samples that the store refuses for good.", no_args_is_help=True)

BatchesArgument = Annotated[list[int] | None, typer.Argument(metavar="BATCH", help="Batches, as `list` numbers them.")]


@app.command("list")
def quarantine_list(
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """List the batches with refused samples, and the reason.

    Example: archioc quarantine list
    """
    from archioc.cli.quarantine.quarantine import list_entries

    list_entries(config, form.value)


@app.command("show")
def quarantine_show(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="A batch, as `list` numbers it.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the refused samples of a batch, each part under the server's message.

    Example: archioc quarantine show 1790000000123
    """
    from archioc.cli.quarantine.quarantine import show_entry

    show_entry(config, batch)


@app.command("retry")
def quarantine_retry(
    batches: BatchesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All batches.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let the archiver send refused samples once more: now, or at its next start.

    Examples: archioc quarantine retry 1790000000123
    archioc quarantine retry --all
    """
    from archioc.cli.quarantine.quarantine import retry_entries

    if bool(batches) == everything:
        raise typer.BadParameter("name batches, or write --all")
    raise typer.Exit(retry_entries(config, batches or []))


@app.command("export")
def quarantine_export(batches: BatchesArgument = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write refused samples as line protocol, all of them unless batches are named.

    Example: archioc quarantine export > refused.lp
    """
    from archioc.cli.quarantine.quarantine import export_entries

    export_entries(config, batches or [])
