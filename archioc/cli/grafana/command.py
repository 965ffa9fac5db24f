"""`archioc grafana` as a user sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def grafana(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Output directory; it is created if it does not exist.")],
) -> None:
    """Write the Grafana dashboards, alert rules and data sources into a directory.

    Example: archioc grafana /etc/grafana/archioc
    """
    from archioc.cli.grafana.grafana import write_provisioning

    write_provisioning(directory)
