"""`archioc`: all its commands, and what it exits with.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage or configuration, 130 interrupted
(`docs/reference/contract/cli.md`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archioc import __version__
from archioc.cli.commands import operators

FAILED, WRONG_USAGE = 1, 2

app = typer.Typer(
    name="archioc",
    help="ArchIOC: the EPICS archiver that is itself an IOC.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

app.add_typer(operators.app)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="ARCHIOC_CONFIG", help="Configuration file of the archiver.")]


class OutputFormat(StrEnum):
    """How a command writes what it found."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class StatusFormat(StrEnum):
    """How `status` writes what it found."""

    TABLE = "table"
    JSON = "json"


class ImportFormat(StrEnum):
    """Formats of files with channels (`archioc.core.importing.reading`)."""

    AUTO = "auto"
    YAML = "yaml"
    LIST = "list"
    CSV = "csv"
    APPLIANCE = "appliance"
    ENGINECONFIG = "engineconfig"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archioc {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


@app.command()
def run(config: Annotated[Path, typer.Argument(envvar="ARCHIOC_CONFIG", help="Configuration file.")]) -> None:
    """Run an archiver until SIGTERM or Ctrl-C.

    Example: archioc run site.yml
    """
    from archioc.cli.run import run_archiver

    run_archiver(config)


@app.command()
def serve(config: ConfigOption = Path("archioc.yml")) -> None:
    """Serve an archive in InfluxDB over HTTP, without an archiver, until SIGTERM or Ctrl-C.

    Example: archioc serve --config site.yml
    """
    from archioc.cli.serve import serve_archive

    serve_archive(config)


@app.command()
def get(
    channels: Annotated[list[str], typer.Argument(metavar="CHANNEL...", help="Channels; * ? [...] stand for any that match.")],
    config: ConfigOption = Path("archioc.yml"),
    start: Annotated[str, typer.Option(help="Begin: ISO 8601, -1h, -30min, now.")] = "-1h",
    end: Annotated[str, typer.Option(help="End, as for --start.")] = "now",
    form: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to write them.")] = OutputFormat.TABLE,
    as_stored: Annotated[bool, typer.Option("--as-stored", help="Do not follow renamings: names as the store has them.")] = False,
) -> None:
    """Show stored samples, whether the archiver runs or not.

    Examples: archioc get SR:DCCT:CURRENT --start -10min
    archioc get 'SR:VAC:*' --start 2026-01-31T00:00Z --end 2026-02-01T00:00Z --format csv
    """
    from archioc.cli.get import get_samples

    get_samples(config, channels, start, end, form.value, as_stored=as_stored)


@app.command()
def status(
    pattern: Annotated[str | None, typer.Argument(metavar="[CHANNELS]", help="Also list the channels that match; globs work.")] = None,
    config: ConfigOption = Path("archioc.yml"),
    form: Annotated[StatusFormat, typer.Option("--format", "-f", help="How to write it.")] = StatusFormat.TABLE,
) -> None:
    """Show how the archiver does: processes, store, spool, counts.

    Examples: archioc status
    archioc status 'SR:BPM*'
    """
    from archioc.cli.status import show_status

    show_status(config, pattern, form.value)


spool_app = typer.Typer(no_args_is_help=True, help="Look at the batches that wait for the store, whether the archiver runs or not.")
app.add_typer(spool_app, name="spool")


@spool_app.command("ls")
def spool_ls(
    config: ConfigOption = Path("archioc.yml"),
    form: Annotated[StatusFormat, typer.Option("--format", "-f", help="How to write it.")] = StatusFormat.TABLE,
) -> None:
    """List the batches in the spool, oldest first.

    Examples: archioc spool ls
    archioc spool ls --format json
    """
    from archioc.cli.spool import list_spool

    list_spool(config, form.value)


@spool_app.command("cat")
def spool_cat(
    batches: Annotated[list[int], typer.Argument(metavar="BATCH...", help="Batch ids, as `archioc spool ls` shows them.")],
    config: ConfigOption = Path("archioc.yml"),
) -> None:
    """Show header and samples of batches as text.

    Example: archioc spool cat 1790000000123456789
    """
    from archioc.cli.spool import show_batches

    show_batches(config, batches)


quarantine_app = typer.Typer(help="Samples that the store has refused for good: list, show, retry and export them.", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")

BatchesArgument = Annotated[list[int] | None, typer.Argument(metavar="[BATCH]...", help="Batches, as `list` numbers them.")]


@quarantine_app.command("list")
def quarantine_list(
    config: ConfigOption = Path("archioc.yml"),
    form: Annotated[StatusFormat, typer.Option("--format", "-f", help="How to write it.")] = StatusFormat.TABLE,
) -> None:
    """List the batches of which something was refused, and why.

    Example: archioc quarantine list
    """
    from archioc.cli.quarantine import list_entries

    list_entries(config, form.value)


@quarantine_app.command("show")
def quarantine_show(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="A batch, as `list` numbers it.")],
    config: ConfigOption = Path("archioc.yml"),
) -> None:
    """Show what was refused of a batch, each part under the server's words.

    Example: archioc quarantine show 1790000000123
    """
    from archioc.cli.quarantine import show_entry

    show_entry(config, batch)


@quarantine_app.command("retry")
def quarantine_retry(
    batches: BatchesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    config: ConfigOption = Path("archioc.yml"),
) -> None:
    """Have the archiver send refused samples once more: now, or when it is started.

    Examples: archioc quarantine retry 1790000000123
    archioc quarantine retry --all
    """
    from archioc.cli.quarantine import retry_entries

    if bool(batches) == everything:
        raise typer.BadParameter("name batches, or --all for all there are")
    raise typer.Exit(retry_entries(config, batches or []))


@quarantine_app.command("export")
def quarantine_export(batches: BatchesArgument = None, config: ConfigOption = Path("archioc.yml")) -> None:
    """Write refused samples as line protocol, all there are unless batches are named.

    Example: archioc quarantine export > refused.lp
    """
    from archioc.cli.quarantine import export_entries

    export_entries(config, batches or [])


channels_app = typer.Typer(help="What is archived and how; the configuration file against it.", no_args_is_help=True)
app.add_typer(channels_app, name="channels")


@channels_app.command("list")
def channels_list(
    config: ConfigOption = Path("archioc.yml"),
    pattern: Annotated[str, typer.Option("--filter", help="Only channels that match; * ? [...] stand for any.")] = "*",
    why: Annotated[bool, typer.Option("--why", help="Tell where each setting comes from.")] = False,
    form: Annotated[StatusFormat, typer.Option("--format", "-f", help="How to write it.")] = StatusFormat.TABLE,
) -> None:
    """List channels with their settings, whether the archiver runs or not.

    Example: archioc channels list --filter 'SR:VAC:*' --why
    """
    from archioc.cli.channels import list_channels

    list_channels(config, pattern, form.value, why=why)


@channels_app.command("diff")
def channels_diff(
    config: ConfigOption = Path("archioc.yml"),
    prune: Annotated[bool, typer.Option("--prune", help="As apply --prune would.")] = False,
) -> None:
    """Show what apply would change, and what operators have put over the file.

    Example: archioc channels diff
    """
    from archioc.cli.channels import show_differences

    show_differences(config, prune=prune)


@channels_app.command("apply")
def channels_apply(
    config: ConfigOption = Path("archioc.yml"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the file does not name, also what operators added.")] = False,
) -> None:
    """Have the running archiver read its file again and follow it: channels, groups, policies.

    Example: archioc channels apply --dry-run
    """
    from archioc.cli.channels import apply_file

    apply_file(config, dry_run=dry_run, prune=prune)


@channels_app.command("import")
def channels_import(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML, list, CSV, Archiver Appliance JSON, engineconfig XML.")],
    config: ConfigOption = Path("archioc.yml"),
    form: Annotated[ImportFormat, typer.Option("--format", help="Format of the files; auto: by name or content.")] = ImportFormat.AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be added and what cannot be mapped.")] = False,
) -> None:
    """Add the channels of files to the running archiver, all of them or none; channels it has stay as they are.

    Example: archioc channels import engine.xml --dry-run
    """
    from archioc.cli.importing import import_files

    import_files(config, files, form.value, dry_run=dry_run)


@channels_app.command("rename")
def channels_rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The name that the channel has.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name that it gets.")],
    config: ConfigOption = Path("archioc.yml"),
) -> None:
    """Give a channel of the running archiver another name; its settings stay, and its history is read under the new name.

    Example: archioc channels rename SR:DCCT:CURRENT SR:DCCT:I
    """
    from archioc.cli.channels import rename_channel

    rename_channel(config, old, new)


@channels_app.command("export")
def channels_export(config: ConfigOption = Path("archioc.yml")) -> None:
    """Write policies, groups and channels as they are now, as blocks of a configuration file.

    Example: archioc channels export > channels.yml
    """
    from archioc.cli.channels import export_channels

    export_channels(config)


@app.command()
def audit(
    config: ConfigOption = Path("archioc.yml"),
    pv: Annotated[str, typer.Option(help="Only puts to these PVs; * ? [...] stand for any.")] = "*",
    user: Annotated[str, typer.Option(help="Only those of these users, as clients claim them.")] = "*",
    peer: Annotated[str, typer.Option(help="Only those from these addresses.")] = "*",
    refused: Annotated[bool, typer.Option("--refused", help="Only those that were refused.")] = False,
    start: Annotated[str, typer.Option(help="Begin: ISO 8601, -1h, -30min, now.")] = "-1d",
    end: Annotated[str, typer.Option(help="End, as for --start.")] = "now",
    form: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to write them.")] = OutputFormat.TABLE,
) -> None:
    """Show who put what to the control PVs, whether the archiver runs or not.

    Examples: archioc audit --start -1h
    archioc audit --pv '*:Enable' --peer '10.0.1.*' --refused
    """
    from archioc.cli.audit import AuditFilter, show_audit

    show_audit(config, AuditFilter(pv, user, peer, refused), start, end, form.value)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(envvar="ARCHIOC_CONFIG", help="Configuration file.")],
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
    """A small storage ring and its archiver on this machine, on loopback only."""
    from archioc.demo.errors import DemoFailed

    if importlib.util.find_spec("epicscorelibs") is None:
        raise DemoFailed("needs the soft IOC of the epicscorelibs wheel: pip install 'archioc[demo]'")
    from archioc.demo.demo import run_demo

    raise typer.Exit(run_demo(minutes, keep, directory))


def main() -> None:
    """The console script: errors are one line on stderr."""
    from archioc.core.errors import ArchiocError, ConfigError, TimeFormatError

    try:
        app()
    except (ConfigError, TimeFormatError) as error:
        typer.echo(f"archioc: {error}", err=True)
        sys.exit(WRONG_USAGE)
    except ArchiocError as error:
        typer.echo(f"archioc: {error}", err=True)
        sys.exit(FAILED)
    except BrokenPipeError:
        # whoever read our output has gone; Python must not complain while it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
