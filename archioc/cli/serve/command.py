"""`archioc serve` as a user sees it."""

from __future__ import annotations

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
)

app = typer.Typer()


@app.command()
def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Serve an archive in InfluxDB over HTTP, without an archiver, until SIGTERM or Ctrl-C.

    Example: archioc serve --config site.yml
    """
    from archioc.cli.serve.serve import serve_archive

    serve_archive(config)
