"""`archioc spool`."""

from __future__ import annotations

from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, ConfigOption, FormatOption, TableOrJson

app = typer.Typer(no_args_is_help=True, help="Show the batches that wait for the store, whether the archiver runs or not.")


@app.command("ls")
def spool_ls(
    config: ConfigOption = DEFAULT_CONFIG,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """List the batches in the spool, oldest first.

    Examples: archioc spool ls
    archioc spool ls --format json
    """
    from archioc.cli.spool.spool import list_spool

    list_spool(config, form.value)


@app.command("cat")
def spool_cat(
    batches: Annotated[list[int], typer.Argument(metavar="BATCH", help="Batch ids, as `archioc spool ls` shows them.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show header and samples of batches as text.

    Example: archioc spool cat 1790000000123456789
    """
    from archioc.cli.spool.spool import show_batches

    show_batches(config, batches)
