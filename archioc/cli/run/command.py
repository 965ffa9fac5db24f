"""`archioc run` as a user sees it."""

from __future__ import annotations

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ConfigArgument,
)

app = typer.Typer()


@app.command()
def run(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Run an archiver until SIGTERM or Ctrl-C.

    Example: archioc run site.yml
    """
    from archioc.cli.run.run import run_archiver

    run_archiver(config)
