"""`archioc`: all its commands, and what it exits with.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration, 130 interrupted
(`docs/reference/contract/cli.md`).
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from archioc import __version__
from archioc.cli.commands import archiver, audit, channels, operators, quarantine, reading, spool
from archioc.cli.commands.options import FAILED, WRONG_USAGE
from archioc.core.errors import ArchiocError, ConfigError, TimeFormatError, UsageError

app = typer.Typer(
    name="archioc",
    help="ArchIOC: the EPICS archiver that is itself an IOC.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(archiver.app)
app.add_typer(reading.app)
app.add_typer(audit.app)
app.add_typer(operators.app)
app.add_typer(channels.app, name="channels")
app.add_typer(spool.app, name="spool")
app.add_typer(quarantine.app, name="quarantine")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archioc {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def main() -> None:
    """The console script: errors are one line on stderr."""
    try:
        app()
    except (ConfigError, TimeFormatError, UsageError) as error:
        typer.echo(f"archioc: {error}", err=True)
        sys.exit(WRONG_USAGE)
    except ArchiocError as error:
        typer.echo(f"archioc: {error}", err=True)
        sys.exit(FAILED)
    except BrokenPipeError:
        # whoever read our output has gone; Python must not complain while it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
