"""`archioc demo` as a user sees it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def demo(
    minutes: Annotated[float | None, typer.Option(min=0.05, help="Stop after this time, and check that every update is archived.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Continue with the archive of the last demo.")] = False,
    directory: Annotated[Path, typer.Option(help="Directory of the demo.")] = Path(".demo"),
) -> None:
    """Run a small storage ring and its archiver on this machine, on loopback only.

    Example: archioc demo --minutes 1
    """
    from archioc.demo.errors import DemoFailed

    if importlib.util.find_spec("epicscorelibs") is None:
        raise DemoFailed("needs the soft IOC of the epicscorelibs wheel: pip install 'archioc[demo]'")
    from archioc.demo.demo import run_demo

    raise typer.Exit(run_demo(minutes, keep, directory))
