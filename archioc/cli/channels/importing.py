"""`archioc channels import`: the channels of files, checked here, then given to the running archiver."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from archioc.cli.channels.control_client import ControlClient
from archioc.core.config.file import load_blocks
from archioc.core.directories import Directories
from archioc.core.errors import ServeError
from archioc.core.shard import Shard
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Imported
from archioc.importing.read_files import read_files
from archioc.ioc.commands.declaring import pick_nothing
from archioc.ioc.commands.differences import differences
from archioc.ioc.commands.importing import plan_imported
from archioc.ioc.registry.content import read_content


def import_files(config: Path, files: Sequence[Path], form: ImportFormat, *, dry_run: bool) -> None:
    """Have the running archiver add the channels of files; dry_run: tell what that would add.

    Raises ConfigError for a fault in a file, CommandRefused, RegistryError, ServeError.
    """
    settings = load_blocks(config)
    directories = Directories(settings.archiver.state_dir)
    wanted = [(path, form) for path in files]
    imported = read_files(wanted)
    if dry_run:
        _tell(imported, directories, settings.own_shard)
        return
    client = ControlClient(settings)
    try:
        directories.imports.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".cli-", dir=directories.imports) as staged:
            lines = [_stage(path, f, number, Path(staged)) for number, (path, f) in enumerate(wanted)]
            sys.stdout.write(client.command("ImportFile", "\n".join(lines).encode()) + "\n")
    except OSError as error:
        raise ServeError(f"{directories.imports}: files for the archiver cannot be put here: {error}") from None


def _stage(path: Path, form: ImportFormat, number: int, directory: Path) -> str:
    """Copy a file to where the archiver may read it, under a name without surprises; the line of the command."""
    copy = directory / f"{number}{path.suffix if path.suffix.isascii() and path.suffix[1:].isalnum() else ''}"
    shutil.copyfile(path, copy)
    return f"{directory.name}/{copy.name} format={form.value}"


def _tell(imported: Imported, directories: Directories, shard: Shard) -> None:
    content = read_content(directories.registry, shard)
    planned = plan_imported(content, imported, pick_nothing)
    for line in differences(planned.change, content):
        sys.stdout.write(f"{line}\n")
    for remark in planned.remarks:
        sys.stdout.write(f"! not mapped: {remark}\n")
    known = f"{planned.known} are archived already{planned.left_to_others}"
    sys.stdout.write(f"dry run: would have added {len(planned.change.added)} channels, {known}\n")
