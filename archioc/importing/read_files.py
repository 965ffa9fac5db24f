"""Files to be imported: which format each has, and all of them as one declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from archioc.core.config.file import decode_config
from archioc.core.config.yaml_positions import collector_paused
from archioc.core.errors import ConfigError
from archioc.importing.appliance import read_appliance
from archioc.importing.config_blocks import read_blocks
from archioc.importing.csv_table import NAME_COLUMNS, read_csv
from archioc.importing.engine_config import read_engine_config
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Gathering, Imported
from archioc.importing.name_list import read_list

MAX_FILE_BYTES = 256 * 2**20
"""Largest file that is read; 100 000 channels with all settings are some 50 MB."""


_BY_SUFFIX = {
    ".yml": ImportFormat.YAML,
    ".yaml": ImportFormat.YAML,
    ".csv": ImportFormat.CSV,
    ".json": ImportFormat.APPLIANCE,
    ".xml": ImportFormat.ENGINECONFIG,
}
_BLOCK = re.compile(r"(channels|groups|policies)\s*:")


def read_files(files: Iterable[tuple[Path, ImportFormat]]) -> Imported:
    """What the files declare together. Raises ConfigError for the first fault; a channel may stand in one file only."""
    gathering = Gathering()
    with collector_paused():
        for path, form in files:
            gathering.at(path)
            _read(path, form, gathering)
    return gathering.result()


def format_of(path: Path, text: str) -> ImportFormat:
    """The format that the name of a file, or else the begin of its text, tells."""
    known = _BY_SUFFIX.get(path.suffix.lower())
    if known is not None:
        return known
    lines = (line.strip() for line in text[:10_000].splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if first.startswith("<"):
        return ImportFormat.ENGINECONFIG
    if first.startswith(("[", "{")):
        return ImportFormat.APPLIANCE
    if _BLOCK.match(first) or first == "---":
        return ImportFormat.YAML
    cells = {cell.strip().strip('"').lower() for cell in first.split(",")}
    return ImportFormat.CSV if cells & set(NAME_COLUMNS) else ImportFormat.LIST


def _read(path: Path, form: ImportFormat, gathering: Gathering) -> None:
    text = decode_config(_content(path), path)
    match format_of(path, text) if form is ImportFormat.AUTO else form:
        case ImportFormat.YAML:
            read_blocks(text, path, gathering)
        case ImportFormat.CSV:
            read_csv(text, gathering)
        case ImportFormat.APPLIANCE:
            read_appliance(text, gathering)
        case ImportFormat.ENGINECONFIG:
            read_engine_config(text, gathering)
        case _:
            read_list(text, gathering)


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ConfigError(path, None, "", "is no file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise ConfigError(path, None, "", f"cannot be read: {error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(path, None, "", f"is larger than {MAX_FILE_BYTES // 2**20} MB")
    return content
