"""`archioc store`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, FAILED, ConfigOption

app = typer.Typer(no_args_is_help=True, help="Delete stored samples, or copy the archive, whether the archiver runs or not.")

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only count.")]


@app.command("delete")
def store_delete(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A name as the store has it; no glob.")],
    start: Annotated[str, typer.Option(help="Begin: ISO 8601, -1h, -30min, now.")],
    end: Annotated[str, typer.Option(help="End, as for --start.")],
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Delete the samples and alarm states of a channel in a span. The audit has it, and the span becomes a gap.

    Example: archioc store delete SR:BPM02:X --start 2026-01-31T12:00 --end 2026-01-31T13:00
    """
    from archioc.cli.store.erase import erase

    if not erase(config, channel, start, end, dry=dry_run, sure=yes):
        raise typer.Exit(FAILED)


@app.command("prune")
def store_prune(
    before: Annotated[str, typer.Option(help="Everything older than this: ISO 8601, -30d.")],
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Delete the samples and alarm states of all channels that are older than a time. The audit has it.

    Example: archioc store prune --before -365d --dry-run
    """
    from archioc.cli.store.erase import erase

    if not erase(config, None, "", before, dry=dry_run, sure=yes):
        raise typer.Exit(FAILED)


@app.command("backup")
def store_backup(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory to make, on a file system with room for the archive.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Copy the archive to a directory that can take the place of the state directory, while the archiver runs.

    Example: archioc store backup /backup/site-2026-01-31
    """
    from archioc.cli.store.backup import back_up_archive

    back_up_archive(config, directory)
