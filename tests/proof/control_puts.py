"""Random puts to every PV, each with what must become of it; the model is told of those that act."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import read_put
from tests.processes import raw_frames as frames
from tests.proof.control_model import ControlModel, Value
from tests.proof.control_values import (
    FIELDS,
    Written,
    anything,
    as_number,
    as_put,
    as_text,
    setting,
    text,
    unreadable,
    wrong_put,
)

CONTRACT = Path(__file__).parents[2] / "docs/reference/contract/pvs.csv"
MOST_CHANNELS = 300
LIMITED = ("DisconnectedPct", "Disk:FreePct", "EventRate", "Channels", "Engine:Restarts")
LIMIT_FIELDS, SEVERITY_FIELDS = ("HIHI", "HIGH", "LOW", "LOLO", "HYST"), ("HHSV", "HSV", "LSV", "LLSV")
NAME_LETTERS = "abcXYZ019.:-_{}[]*?'=,;&|$@%#!<>/\\µ€\U0001f600"

WRONG_LINES = (
    "F:BAD rate=-1",
    "F:BAD rate=nan",
    "F:BAD rate=1e999",
    "F:BAD quota=-0.1Hz",
    "F:BAD mode=scan rate=0",
    "F:BAD nosuch=1",
    "F:BAD rate",
    "F:BAD rate=1 rate=1",
    'F:BAD description="open',
    f"F:BAD description={'d' * 256}",
    "F:BAD group='a b'",
    f"{'N' * 500} rate=1",
    "F:\x01BAD rate=1",
    "F:BAD\x00 rate=1 \x07",
    "- {pv: F:BAD, rate: 5}",
    "channels: [F:BAD]",
    "!!python/object/apply:os.system [true]",
    "&a *a",
    "F:BAD rate=${jndi:x}",
    "F:BAD deadband=1;drop",
)
"""Lines that neither Add nor Set takes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A put: to a PV without prefix, and whether it is to be done. audited: a 0 that asks for nothing is not."""

    pv: str
    written: Written
    done: bool
    audited: bool = True


def contract_names() -> tuple[list[str], list[str]]:
    """Rows of the contract that can be written, and those that cannot; without views, which change nothing but what is shown."""
    with CONTRACT.open() as file:
        rows = [(row["name"], row["access"]) for row in csv.DictReader(file) if not row["name"].startswith("View:")]
    return [name for name, access in rows if access != "read"], [name for name, access in rows if access == "read"]


TEXT_COMMANDS = frozenset({"Add", "AddList", "Set", "Remove", "RemoveList", "Rename", "ImportFile"})


def _asks_for_nothing(attempt: Attempt) -> bool:
    """Whether it puts an empty text to a command, which is carried out without a trace."""
    name, written = attempt.pv.rpartition(":")[2], attempt.written
    if name not in TEXT_COMMANDS:
        return False
    try:
        value = read_put(written.data_type, written.count, written.payload, as_text=not name.endswith("List"))
        return not value.text(len(written.payload) * 4 + 1).strip()
    except CommandRefused:
        return False


class ControlPuts:
    """Makes attempts. `begin_batch` tells which channels have PVs that can be opened now."""

    def __init__(self, draw: random.Random, model: ControlModel) -> None:
        self._draw, self._model = draw, model
        self._writable, self._read_only = contract_names()
        self._there: set[str] = set()
        self._groups: set[str] = set()
        self._made = 0
        kinds: list[tuple[int, Callable[[], Attempt]]] = [
            (22, self._setting),
            (5, self._set),
            (4, self._add),
            (3, self._remove),
            (2, self._remove_by_name),
            (3, self._group),
            (3, self._limit),
            (1, self._trigger),
            (15, self._wrong_setting),
            (14, self._wrong_command),
            (9, self._unreadable),
            (10, self._to_read_only),
            (4, self._to_field),
            (5, self._wrong_limit_or_group),
        ]
        self._weights, self._kinds = [weight for weight, _ in kinds], [kind for _, kind in kinds]

    def begin_batch(self) -> None:
        """From now on puts go to PVs of what is in the archive now."""
        self._there, self._groups = set(self._model.channels), set(self._model.groups)

    def attempt(self) -> Attempt:
        """The next put."""
        (kind,) = self._draw.choices(self._kinds, self._weights)
        made = kind()
        return replace(made, done=True, audited=False) if _asks_for_nothing(made) else made

    def _open_channel(self) -> str:
        return self._draw.choice(sorted(self._there & self._model.channels.keys()))

    def _any_channel(self) -> str:
        return self._draw.choice(list(self._model.channels))

    def _setting(self) -> Attempt:
        draw, channel = self._draw, self._open_channel()
        name = draw.choice(list(FIELDS))
        value, written = setting(draw, name)
        done = self._model.change(channel, {name: value})
        return Attempt(f"CH:{channel}:{FIELDS[name]}", as_put(draw, name, value, written), done)

    def _wrong_setting(self) -> Attempt:
        name = self._draw.choice(list(FIELDS))
        return Attempt(f"CH:{self._open_channel()}:{FIELDS[name]}", wrong_put(self._draw, name), done=False)

    def _some_settings(self) -> tuple[dict[str, Value], str]:
        chosen = {name: setting(self._draw, name) for name in self._draw.sample(list(FIELDS), self._draw.randrange(1, 4))}
        return {name: value for name, (value, _) in chosen.items()}, " ".join(f"{name}={written}" for name, (_, written) in chosen.items())

    def _set(self) -> Attempt:
        """Lines are carried out one after the other on a copy, which is the archive when all of them fit."""
        draw, before, groups = self._draw, dict(self._model.channels), dict(self._model.groups)
        lines, fits = [], True
        for _ in range(draw.choice((1, 1, 2, 5, 20))):
            meant, written = self._meant()
            changes, words = self._some_settings()
            lines.append(f"{written} {words}")
            fits = fits and all(self._model.change(name, changes) for name in meant)
        if not fits:
            self._model.channels, self._model.groups = before, groups
        return Attempt("Set", self._command(lines), fits)

    def _meant(self) -> tuple[list[str], str]:
        """Some channels, and how a line of a command names them."""
        draw = self._draw
        if draw.random() < 0.7:
            name = self._any_channel()
            return [name], name
        beginning = draw.choice(("F:", "F:V", "F:X", f"F:N{draw.randrange(1, 10)}"))
        meant = self._model.starting_with(beginning)
        if not meant:
            name = self._any_channel()
            return [name], name
        return meant, f"{beginning}* confirm={len(meant)}"

    def _command(self, lines: list[str]) -> Written:
        draw = self._draw
        if draw.random() < 0.3:
            lines = [line for one in lines for line in draw.choice(([one], ["", one], [f"# {text(draw, 30)}", one], [f"  {one}\t"]))]
        whole = "\n".join(lines).encode()
        if all(len(line.encode()) < 40 for line in lines) and draw.random() < 0.5:
            return Written(frames.STRING, len(lines), b"".join(line.encode().ljust(40, b"\0") for line in lines))
        return Written(frames.CHAR, len(whole) + 1, whole + b"\0")

    def _add(self) -> Attempt:
        draw = self._draw
        if len(self._model.channels) > MOST_CHANNELS:
            return self._remove()
        lines, new = [], []
        for _ in range(draw.choice((1, 1, 2, 4))):
            self._made += 1
            name = f"F:{draw.choice('NP')}{self._made}{text(draw, 8, NAME_LETTERS)}"
            changes, words = self._some_settings() if draw.random() < 0.6 else ({}, "")
            group = str(changes.pop("group", ""))
            lines.append(f"{name} {words}")
            new.append((name, changes, group))
        fits = all(self._model.can_add(*one) for one in new)
        if fits:
            for one in new:
                self._model.add(*one)
        return Attempt(draw.choice(("Add", "AddList")), self._command(lines), fits)

    def _remove(self) -> Attempt:
        if len(self._there & self._model.channels.keys()) < 20:
            return self._trigger()
        names = self._draw.sample(list(self._model.channels), self._draw.randrange(1, 4))
        keep = next(iter(self._there & self._model.channels.keys()))
        names = [name for name in names if name != keep] or [self._any_channel()]
        self._model.remove(names)
        return Attempt(self._draw.choice(("Remove", "RemoveList")), self._command(names), done=True)

    def _remove_by_name(self) -> Attempt:
        if len(self._there & self._model.channels.keys()) < 20:
            return self._trigger()
        name = self._open_channel()
        if self._draw.random() < 0.5:
            wrong = self._draw.choice(("*", f"{name}x", "", "F:*", name[:-1]))
            return Attempt(f"CH:{name}:Remove", as_text(self._draw, wrong), done=False)
        self._model.remove([name])
        return Attempt(f"CH:{name}:Remove", as_text(self._draw, name), done=True)

    def _group(self) -> Attempt:
        draw = self._draw
        name = draw.choice(sorted(self._groups & self._model.groups.keys()))
        group = self._model.groups[name]
        if draw.random() < 0.5:
            group.enable = draw.random() < 0.5
            return Attempt(f"GRP:{name}:Enable", as_put(draw, "enable", group.enable, ""), done=True)
        group.condition = draw.choice(
            ("", f"SR:M{draw.randrange(9)} {draw.choice(('==', '<', '>='))} {draw.randrange(99)}", 'SR:S != "off µ"')
        )
        return Attempt(f"GRP:{name}:Condition", as_text(draw, group.condition), done=True)

    def _limit(self) -> Attempt:
        draw, pv = self._draw, self._draw.choice(LIMITED)
        if draw.random() < 0.3:
            field, number = draw.choice(SEVERITY_FIELDS), float(draw.randrange(4))
        else:
            field = draw.choice(LIMIT_FIELDS)
            number = draw.choice((draw.randrange(1000) / 8, 0.0 if field == "HYST" else float("nan")))
        self._model.limits[pv, field] = number
        return Attempt(f"{pv}.{field}", as_number(draw, number), done=True)

    def _trigger(self) -> Attempt:
        draw = self._draw
        if draw.random() < 0.4:
            return Attempt(draw.choice(("Flush", "Apply")), as_number(draw, 0), done=True, audited=False)
        self._model.flushes += 1
        return Attempt("Flush", as_number(draw, 1), done=True)

    def _wrong_command(self) -> Attempt:
        draw = self._draw
        pv = draw.choice(("Add", "Set", "Remove", "AddList", "RemoveList", "ImportFile", "Flush", "Apply"))
        if pv in {"Flush", "Apply"}:
            return Attempt(pv, draw.choice((as_number(draw, draw.choice((5, -1, 0.5, 77))), as_text(draw, "one"))), done=False)
        if draw.random() < 0.1:
            return Attempt(pv, draw.choice((as_number(draw, 3), Written(frames.CHAR, 20_000, b"x\n" * 10_000))), done=False)
        if draw.random() < 0.1:
            return Attempt(pv, self._command(["# nothing", ""]), done=False)
        if pv == "ImportFile":
            path = draw.choice(("../state.db", "/etc/passwd", "nosuch.csv", "a b c", "'open", "x format=pickle", "\x00", "."))
            return Attempt(pv, as_text(draw, path), done=False)
        lines = [f"F:OK{at} rate=1" for at in range(draw.choice((0, 0, 3, 50)))]
        wrong = [*WRONG_LINES]
        if pv == "Set":
            lines = [f"{self._any_channel()} max_elements=7" for _ in lines]
            wrong += [
                "F:* rate=1",
                "F:* rate=1 confirm=9999",
                "F:* rate=1 confirm=x",
                "F:NOSUCH rate=1",
                f"{self._any_channel()} confirm=1",
            ]
        elif pv.startswith("Remove"):
            lines = [self._any_channel() for _ in lines]
            wrong = ["F:*", "F:* confirm=0", "F:NOSUCH", "F:[", "*** confirm=99999", "Q*", f"{self._any_channel()} rate=1"]
        else:
            wrong += [self._any_channel(), "F:TWICE\nF:TWICE"]
        lines.insert(draw.randrange(len(lines) + 1), draw.choice(wrong))
        whole = "\n".join(lines).replace("\x00", " \x02").encode()
        return Attempt(pv, Written(frames.CHAR, len(whole) + 1, whole + b"\0"), done=False)

    def _named(self, row: str) -> str:
        group = self._draw.choice(sorted(self._groups & self._model.groups.keys()))
        return row.replace("<name>", self._open_channel()).replace("<group>", group)

    def _unreadable(self) -> Attempt:
        return Attempt(self._named(self._draw.choice(self._writable)), unreadable(self._draw), done=False)

    def _to_read_only(self) -> Attempt:
        return Attempt(self._named(self._draw.choice(self._read_only)), anything(self._draw), done=False)

    def _to_field(self) -> Attempt:
        field = self._draw.choice(("DESC", "EGU", "PREC", "RTYP", "NAME", "SEVR", "STAT", "HIHI", "HSV", "DESC$", "HYST"))
        row = self._draw.choice([name for name in self._writable if field in {"DESC", "EGU"} or name.startswith(("CH:", "GRP:"))])
        return Attempt(f"{self._named(row)}.{field}", anything(self._draw), done=False)

    def _wrong_limit_or_group(self) -> Attempt:
        draw = self._draw
        if draw.random() < 0.5:
            field = draw.choice((*SEVERITY_FIELDS, "HYST"))
            number = draw.choice((-1.0, 4.5, float("nan"), 1e9)) if field != "HYST" else draw.choice((-1.0, float("inf"), float("nan")))
            return Attempt(
                f"{draw.choice(LIMITED)}.{field}", Written(frames.DOUBLE, 1, frames.encoded([number], frames.DOUBLE)), done=False
            )
        name = draw.choice(sorted(self._groups & self._model.groups.keys()))
        condition = draw.choice(
            ("SR:M", "SR:M = 1", "SR:M == ", "SR:M > NaN", 'SR:M > "a"', "a b c", "x" * 256 + " == 1", 'SR:M == "é\x01"')
        )
        return Attempt(f"GRP:{name}:Condition", as_text(draw, condition), done=False)
