"""`archioc spool`."""

from __future__ import annotations

from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, ConfigOption, FormatOption, TableOrJson

app = typer.Typer(no_args_is_help=True, help="Batches that wait for the store, and those that it has acknowledged.")


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


@app.command("resend")
def spool_resend(
    since: Annotated[str, typer.Option(help="What was delivered since then: ISO 8601, -1h, -30min.")] = "1970-01-01",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Have batches that an InfluxDB has acknowledged sent again, as far as they are kept.

    Examples: archioc spool resend
    archioc spool resend --since -30min
    """
    from archioc.cli.spool.sending import resend

    resend(config, since)


@app.command("readdress")
def spool_readdress(
    earlier: Annotated[list[str] | None, typer.Option("--from", metavar="DESTINATION", help="Only what waits for these; else all.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Have batches that wait for an InfluxDB at an earlier address sent to the one that is configured now.

    Examples: archioc spool readdress
    archioc spool readdress --from influxdb:http://old:8086/epics
    """
    from archioc.cli.spool.sending import readdress

    readdress(config, earlier or [])
