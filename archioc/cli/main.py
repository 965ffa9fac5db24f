"""`archioc`: all its commands, and what it exits with.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration, 130 interrupted
(`docs/reference/contract/cli.md`).
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from archioc import __version__
from archioc.cli.alarms import command as alarms
from archioc.cli.audit import command as audit
from archioc.cli.channels import command as channels
from archioc.cli.check import command as check
from archioc.cli.demo import command as demo
from archioc.cli.explain import command as explain
from archioc.cli.export import command as export
from archioc.cli.get import command as get
from archioc.cli.grafana import command as grafana
from archioc.cli.opi import command as opi
from archioc.cli.options import FAILED, WRONG_USAGE
from archioc.cli.plain_help import CommandsInSections, use_plain_help
from archioc.cli.plot import command as plot
from archioc.cli.quarantine import command as quarantine
from archioc.cli.report import command as report
from archioc.cli.run import command as run
from archioc.cli.serve import command as serve
from archioc.cli.spool import command as spool
from archioc.cli.status import command as status
from archioc.cli.store import command as store
from archioc.core.errors import ArchiocError, ConfigError, TimeFormatError, UsageError

app = typer.Typer(
    name="archioc",
    help="ArchIOC: the EPICS archiver that is itself an IOC.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=CommandsInSections,
)
for part in (run, serve, check, demo, get, export, plot, explain, report, status, audit, opi, grafana):
    app.add_typer(part.app)
app.add_typer(alarms.app, name="alarms")
app.add_typer(channels.app, name="channels")
app.add_typer(spool.app, name="spool")
app.add_typer(store.app, name="store")
app.add_typer(quarantine.app, name="quarantine")
use_plain_help(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archioc {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    _version: Annotated[bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def main() -> None:
    """The console script. Each error is one line on standard error."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (ConfigError, TimeFormatError, UsageError) as error:
        _end(str(error), WRONG_USAGE)
    except ArchiocError as error:
        _end(str(error), FAILED)
    except BrokenPipeError:
        _drop_output()  # whoever read our output has gone
        sys.exit(FAILED)
    except OSError as error:
        _drop_output()
        _end(_words_of(error), FAILED)


def _words_of(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is None:
        return f"{reason}: the output could not be written" if error.errno == errno.ENOSPC else reason
    advice = "; give the file or directory to this user, or run as its owner" if error.errno in {errno.EACCES, errno.EPERM} else ""
    return f"{error.filename}: {reason}{advice}"


def _drop_output() -> None:
    """Python would complain once more while it flushes what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(text: str, code: int) -> None:
    typer.echo(f"archioc: {text}", err=True)
    sys.exit(code)
