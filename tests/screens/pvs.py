"""The PVs that the contract promises, to hold the PVs of displays against."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parents[2] / "docs/reference/contract/pvs.csv"

WORDED = frozenset({"Rate", "Deadband", "DeadbandPct", "MaxInterval", "Quota", "MaxElements"})
"""Settings that take the words of their field TXT."""

READ_FIELDS = frozenset({"TXT", "DESC", "EGU", "PREC", "SEVR", "STAT", "NAME", "RTYP"})
LIMIT_FIELDS = frozenset({"HIHI", "HIGH", "LOW", "LOLO", "HHSV", "HSV", "LSV", "LLSV", "HYST"})


@dataclass(frozen=True, slots=True)
class Promised:
    """A row of the table. access: read, anyone, control, expert. name: as the table has it, with `<name>` and the like."""

    name: str
    dbr_type: str
    count: int
    states: tuple[str, ...]
    access: str

    @property
    def writable(self) -> bool:
        return self.access != "read"

    @property
    def is_text(self) -> bool:
        """Whether it is an array of characters."""
        return self.dbr_type == "CHAR"


class Contract:
    """The table, to be asked by name. prefix: of the archiver."""

    def __init__(self, prefix: str, table: Path = TABLE) -> None:
        self._prefix = prefix
        with table.open(newline="") as opened:
            self.rows = [_promised(row) for row in csv.DictReader(opened)]
        self._patterns = [(re.compile(_pattern(row.name)), row) for row in self.rows]

    def find(self, name: str) -> Promised | None:
        """The row of a PV or of its field; None for one that is not promised."""
        if not name.startswith(self._prefix):
            return None
        bare, field = name.removeprefix(self._prefix), ""
        stem, dot, last = bare.rpartition(".")
        if dot and last in READ_FIELDS | LIMIT_FIELDS:
            bare, field = stem, last
        found = next((row for pattern, row in self._patterns if pattern.fullmatch(bare)), None)
        if found is None or not field:
            return found
        if field == "TXT" and found.name.rpartition(":")[2] in WORDED:
            return Promised(f"{found.name}.TXT", "STRING", 1, (), found.access)
        is_limit = field in LIMIT_FIELDS and "<" not in found.name and found.dbr_type in {"DOUBLE", "LONG"}
        return Promised(f"{found.name}.{field}", "DOUBLE" if is_limit else "STRING", 1, (), "expert" if is_limit else "read")


def _promised(row: dict[str, str]) -> Promised:
    states = tuple(state for state in row["enum_strings"].split(";") if state)
    return Promised(row["name"], row["dbr_type"], int(row["count"]), states, row["access"])


def _pattern(name: str) -> str:
    words = {"<name>": r".+", "<group>": r".+", "<view>": r"[A-Za-z0-9_-]+", "<groupslot>": r"Group0\d"}
    words["<slot>"] = r"(?:Row(?:[01]\d|2[0-4])|Selected)"
    return "".join(words.get(part, re.escape(part)) for part in re.split(r"(<\w+>)", name))
