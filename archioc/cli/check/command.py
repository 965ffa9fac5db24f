"""`archioc check` as a user sees it."""

from __future__ import annotations

from typing import Annotated

import typer

from archioc.cli.options import (
    DEFAULT_CONFIG,
    FAILED,
    ConfigArgument,
)

app = typer.Typer()


@app.command()
def check(
    config: ConfigArgument = DEFAULT_CONFIG,
    restore: Annotated[
        str | None,
        typer.Option(metavar="FILE|newest|empty", help="Replace state.db by this copy, or begin anew; the archiver must not run."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read all that is in the files of the embedded store.")] = False,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Let go of incidents of the store: somebody has seen to them.")
    ] = False,
) -> None:
    """Check configuration, registry, spool, disk, store and its incidents, or restore a copy of the registry.

    Examples: archioc check site.yml
    archioc check site.yml --restore newest
    archioc check site.yml --acknowledge
    """
    from archioc.cli.check.check import acknowledge as let_go
    from archioc.cli.check.check import check as look
    from archioc.cli.check.check import restore_registry

    if restore is not None:
        restore_registry(config, restore)
    elif acknowledge:
        let_go(config)
    elif not look(config, deep=deep):
        raise typer.Exit(FAILED)
