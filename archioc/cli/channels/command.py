"""`archioc channels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archioc.cli.options import DEFAULT_CONFIG, ConfigOption, FormatOption, TableOrJson
from archioc.importing.formats import ImportFormat

app = typer.Typer(help="Show, compare and change the archived channels.", no_args_is_help=True)


@app.command("list")
def channels_list(
    config: ConfigOption = DEFAULT_CONFIG,
    pattern: Annotated[str, typer.Option("--filter", help="Only channels that match this glob.")] = "*",
    group: Annotated[str, typer.Option(help="Only channels of groups that match this glob.")] = "*",
    overridden: Annotated[bool, typer.Option("--overridden", help="Only channels with settings that an operator has put.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Only disabled channels.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Show where each setting comes from.")] = False,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """List channels with their settings, whether the archiver runs or not.

    Examples: archioc channels list --filter 'SR:VAC:*' --why
    archioc channels list --overridden --why
    """
    from archioc.cli.channels.channels import ChannelFilter, list_channels

    list_channels(config, ChannelFilter(pattern, group, overridden, disabled), form.value, why=why)


@app.command("diff")
def channels_diff(
    config: ConfigOption = DEFAULT_CONFIG,
    prune: Annotated[bool, typer.Option("--prune", help="Compare as apply --prune does.")] = False,
) -> None:
    """Show what apply would change, and which settings operators have put over the file.

    Example: archioc channels diff
    """
    from archioc.cli.channels.channels import show_differences

    show_differences(config, prune=prune)


@app.command("apply")
def channels_apply(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove channels that the file does not name, also those that operators added.")
    ] = False,
) -> None:
    """Let the running archiver read its configuration file again and apply channels, groups and policies.

    Example: archioc channels apply --dry-run
    """
    from archioc.cli.channels.channels import apply_file

    apply_file(config, dry_run=dry_run, prune=prune)


@app.command("import")
def channels_import(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="YAML, list, CSV, Archiver Appliance JSON, engineconfig XML.")],
    config: ConfigOption = DEFAULT_CONFIG,
    form: Annotated[ImportFormat, typer.Option("--format", help="Format of the files; auto: by name or content.")] = ImportFormat.AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be added and what cannot be converted.")] = False,
) -> None:
    """Add the channels of files to the running archiver, all of them or none; existing channels stay unchanged.

    Example: archioc channels import engine.xml --dry-run
    """
    from archioc.cli.channels.importing import import_files

    import_files(config, files, form, dry_run=dry_run)


NewArgument = Annotated[list[str], typer.Argument(metavar="WORD", help="Names, then SETTING=VALUE for all of them.")]
SetArgument = Annotated[list[str], typer.Argument(metavar="WORD", help="Names or globs, then SETTING=VALUE for all of them.")]
RemoveArgument = Annotated[list[str], typer.Argument(metavar="WORD", help="Names or globs; with a glob confirm=N behind them.")]


@app.command("add")
def channels_add(words: NewArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Add channels to the running archiver, all of them or none.

    Examples: archioc channels add SR:DCCT:CURRENT SR:DCCT:LIFETIME rate=10
    archioc channels add SR:VAC:P1 mode=scan rate=0.1 description='arc 1'
    """
    from archioc.cli.channels.editing import put_lines

    put_lines(config, "Add", words)


@app.command("set")
def channels_set(words: SetArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Change settings of channels of the running archiver; a glob needs confirm=N, the number of channels that it matches.

    Examples: archioc channels set SR:DCCT:CURRENT rate=1
    archioc channels set 'SR:VAC:*' enable=0 confirm=120
    """
    from archioc.cli.channels.editing import put_lines

    put_lines(config, "Set", words)


@app.command("remove")
def channels_remove(words: RemoveArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove channels of the running archiver; stored samples stay. A glob needs confirm=N, the number of channels that it matches.

    Examples: archioc channels remove SR:OLD:P1 SR:OLD:P2
    archioc channels remove 'SR:OLD:*' confirm=12
    """
    from archioc.cli.channels.editing import put_lines

    put_lines(config, "Remove", words)


@app.command("rename")
def channels_rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The present name of the channel.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Rename a channel of the running archiver; it keeps its settings, and its history is read under the new name.

    Example: archioc channels rename SR:DCCT:CURRENT SR:DCCT:I
    """
    from archioc.cli.channels.channels import rename_channel

    rename_channel(config, old, new)


@app.command("shard")
def channels_shard(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names of channels.")],
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Number of shards; default: the number in the file.")] = None,
    form: FormatOption = TableOrJson.TABLE,
) -> None:
    """Show which shard each channel belongs to.

    Example: archioc channels shard SR:DCCT:CURRENT --count 5
    """
    from archioc.cli.channels.shards import show_owners

    show_owners(config, names, count, form.value)


@app.command("merge")
def channels_merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files that `channels export` of the shards has written.")],
) -> None:
    """Merge the exports of several shards into the blocks of one configuration file.

    Example: archioc channels merge shard-0.yml shard-1.yml > channels.yml
    """
    from archioc.cli.channels.merging import merge_exports

    merge_exports(files)


@app.command("export")
def channels_export(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the present policies, groups and channels as blocks of a configuration file.

    Example: archioc channels export > channels.yml
    """
    from archioc.cli.channels.channels import export_channels

    export_channels(config)
