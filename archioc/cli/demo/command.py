"""`archioc demo` as a user sees it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


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
