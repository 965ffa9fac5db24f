"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FAILED, WRONG_USAGE = 1, 2
"""Exit codes (`docs/reference/contract/cli.md`)."""

DEFAULT_CONFIG = Path("archioc.yml")


class TableOrJson(StrEnum):
    """How a command writes what it found: for people, or for programs."""

    TABLE = "table"
    JSON = "json"


ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="ARCHIOC_CONFIG", help="Configuration file of the archiver.")]
ConfigArgument = Annotated[Path, typer.Argument(envvar="ARCHIOC_CONFIG", help="Configuration file.")]
FormatOption = Annotated[TableOrJson, typer.Option("--format", "-f", help="Output format.")]
StartOption = Annotated[str, typer.Option(help="Begin: ISO 8601, -1h, -30min, now.")]
EndOption = Annotated[str, typer.Option(help="End, as for --start.")]
ChannelsArgument = Annotated[list[str], typer.Argument(metavar="CHANNEL", help="Channel names or globs (* ? [...]).")]
GapsOption = Annotated[bool, typer.Option("--gaps", help="Write a line without a value where a gap begins (csv, jsonl, parquet).")]
