"""A table of comma-separated values (RFC 4180): a header with `pv` and names of settings, then a channel a line.

An empty cell gives nothing.
"""

from __future__ import annotations

import csv
import io

from archioc.core.channel import SETTING_NAMES, read_setting
from archioc.core.errors import SettingError
from archioc.importing.gathering import Gathering

NAME_COLUMNS = ("pv", "name", "channel")
"""What the column with the name of the channel may be called."""


def read_csv(text: str, gathering: Gathering) -> None:
    """Take the channels of a table. Raises ConfigError."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if not columns:
                columns = _header([cell.strip().lower() for cell in cells], rows.line_num, gathering)
                continue
            if len(cells) != len(columns):
                raise gathering.fault(rows.line_num, "", f"has {len(cells)} cells, the header {len(columns)}")
            _take(dict(zip(columns, (cell.strip() for cell in cells), strict=True)), rows.line_num, gathering)
    except csv.Error as error:
        raise gathering.fault(rows.line_num, "", f"is not CSV: {error}") from None


def _header(columns: list[str], line: int, gathering: Gathering) -> list[str]:
    """The columns, that of the name called `pv`."""
    found = [column for column in columns if column in NAME_COLUMNS]
    if len(found) != 1:
        raise gathering.fault(line, "", f"the header must have one column {', '.join(NAME_COLUMNS[:-1])} or {NAME_COLUMNS[-1]}")
    columns = ["pv" if column == found[0] else column for column in columns]
    for column in columns:
        if column not in {"pv", *SETTING_NAMES}:
            raise gathering.fault(line, "", f"{column[:60]!r}: no such setting; there are {', '.join(SETTING_NAMES)}")
        if columns.count(column) > 1:
            raise gathering.fault(line, "", f"{column}: this column is given twice")
    return columns


def _take(cells: dict[str, str], line: int, gathering: Gathering) -> None:
    name = cells.pop("pv")
    settings = {setting: text for setting, text in cells.items() if text}
    try:
        group = str(read_setting("group", settings.pop("group", "")))
    except SettingError as error:
        raise gathering.fault(line, "", f"{name}: {error}") from None
    gathering.channel(line, "", name, settings, group)
