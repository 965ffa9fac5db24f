"""`archioc audit`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, ConfigOption, EndOption, StartOption

app = typer.Typer()


class AuditFormat(StrEnum):
    """How puts are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command()
def audit(
    config: ConfigOption = DEFAULT_CONFIG,
    pv: Annotated[str, typer.Option(help="Only puts to these PVs; * ? [...] stand for any.")] = "*",
    user: Annotated[str, typer.Option(help="Only those of these users, as clients claim them.")] = "*",
    peer: Annotated[str, typer.Option(help="Only those from these addresses.")] = "*",
    refused: Annotated[bool, typer.Option("--refused", help="Only those that were refused.")] = False,
    start: StartOption = "-1d",
    end: EndOption = "now",
    form: Annotated[AuditFormat, typer.Option("--format", "-f", help="How to write them.")] = AuditFormat.TABLE,
) -> None:
    """Show who put what to the control PVs, whether the archiver runs or not.

    Examples: archioc audit --start -1h
    archioc audit --pv '*:Enable' --peer '10.0.1.*' --refused
    """
    from archioc.cli.audit.audit import AuditFilter, show_audit

    show_audit(config, AuditFilter(pv, user, peer, refused), start, end, form.value)
