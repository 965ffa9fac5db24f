"""`archioc run`, `serve`, `check`, `demo`: an archiver as a whole."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.commands.options import DEFAULT_CONFIG, FAILED, ConfigArgument, ConfigOption

app = typer.Typer()


@app.command()
def run(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Run an archiver until SIGTERM or Ctrl-C.

    Example: archioc run site.yml
    """
    from archioc.cli.run import run_archiver

    run_archiver(config)


@app.command()
def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Serve an archive in InfluxDB over HTTP, without an archiver, until SIGTERM or Ctrl-C.

    Example: archioc serve --config site.yml
    """
    from archioc.cli.serve import serve_archive

    serve_archive(config)


@app.command()
def check(
    config: ConfigArgument = DEFAULT_CONFIG,
    restore: Annotated[
        str | None, typer.Option(metavar="FILE|newest", help="Put this copy of state.db in its place; the archiver must not run.")
    ] = None,
) -> None:
    """Check configuration, registry, spool, disk and store; or go back to a copy of the registry.

    Examples: archioc check site.yml
    archioc check site.yml --restore newest
    """
    from archioc.cli.check import check as look
    from archioc.cli.check import restore_registry

    if restore is not None:
        restore_registry(config, restore)
    elif not look(config):
        raise typer.Exit(FAILED)


@app.command()
def demo(
    minutes: Annotated[float | None, typer.Option(min=0.05, help="Stop by itself after so long, and check that all is there.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the archive of the last demo.")] = False,
    directory: Annotated[Path, typer.Option(help="Where to put it.")] = Path(".demo"),
) -> None:
    """A small storage ring and its archiver on this machine, on loopback only.

    Example: archioc demo --minutes 1
    """
    from archioc.demo.errors import DemoFailed

    if importlib.util.find_spec("epicscorelibs") is None:
        raise DemoFailed("needs the soft IOC of the epicscorelibs wheel: pip install 'archioc[demo]'")
    from archioc.demo.demo import run_demo

    raise typer.Exit(run_demo(minutes, keep, directory))
