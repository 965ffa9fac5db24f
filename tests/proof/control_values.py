"""Random settings as clients write them, right ones with what they mean, and wrong ones."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from tests.processes import raw_frames as frames
from tests.proof.control_model import Value

WORDS = {
    "mode": ("monitor", "scan"),
    "mask": ("log", "value"),
    "clock": ("auto", "ioc", "archiver"),
    "large_arrays": ("statistics", "store", "refuse"),
}
FIELDS = {
    "enable": "Enable",
    "mode": "Mode",
    "rate": "Rate",
    "description": "Desc",
    "deadband": "Deadband",
    "deadband_pct": "DeadbandPct",
    "max_interval": "MaxInterval",
    "mask": "Mask",
    "quota": "Quota",
    "clock": "Clock",
    "max_elements": "MaxElements",
    "large_arrays": "LargeArrays",
    "as_text": "AsText",
    "group": "Group",
}
"""PVs of a channel, by the setting that they put."""
GROUPS = ("", "vac", "diag", "g1", "g2", "g3-x", "G_4")
LETTERS = "abc XYZ09-_:;,.{}[]()&*!|>%@#µ€\U0001f600é"
_HIGHEST = {"rate": 100_000, "quota": 100_000, "deadband_pct": 100, "max_interval": 365 * 86400, "max_elements": 100_000_000}
_LABELS = {"enable": ("Off", "On"), "as_text": ("Off", "On")}


@dataclass(frozen=True, slots=True)
class Written:
    """A value of a put as it goes over the wire."""

    data_type: int
    count: int
    payload: bytes


def text(draw: random.Random, longest: int, letters: str = LETTERS) -> str:
    """Random text of at most so many bytes of UTF-8."""
    return "".join(draw.choices(letters, k=draw.randrange(longest + 1))).encode()[:longest].decode(errors="ignore")


def setting(draw: random.Random, name: str) -> tuple[Value, str]:
    """A value that the rules allow, and one of the ways to write it in a command."""
    if name in WORDS:
        word = draw.choice(WORDS[name])
        return word, draw.choice((word, word.upper(), word.title()))
    match name:
        case "enable" | "as_text":
            on = draw.random() < 0.5
            return on, draw.choice(("1", "true", "yes", "ON") if on else ("0", "false", "No", "off"))
        case "description":
            found = text(draw, 60)
            return found, f'"{found}"'
        case "group":
            group = draw.choice(GROUPS)
            return group, group or '""'
        case "max_elements":
            count = draw.choice((0, 1, draw.randrange(100_000_000), 100_000_000))
            return count, str(count)
        case "max_interval":
            minutes = draw.randrange(1, 1000)
            return draw.choice(((0.0, "0"), (60.0 * minutes, f"{minutes}min"), (minutes / 8, f"{minutes / 8}s"), (31536000.0, "1y")))
    number = draw.choice((0.0, float(draw.randrange(100)), draw.randrange(1, 800) / 8, 100.0))
    forms = [repr(number), f"{number:g}"]
    if name in {"rate", "quota"}:
        forms += [f"{number}Hz", f"{number / 1000!r}kHz"] if (number / 1000) * 1e3 == number else [f"{number} Hz".replace(" ", "")]
    return number, draw.choice(forms)


def as_put(draw: random.Random, name: str, value: Value, written: str) -> Written:
    """A right value as a put to the PV of its setting, in any type that can carry it."""
    if name in {"description", "group"}:
        return as_text(draw, str(value))
    if isinstance(value, bool) or name in WORDS:
        labels = _LABELS.get(name) or tuple(word.title() for word in WORDS[name])
        index = int(value) if isinstance(value, bool) else WORDS[name].index(str(value))
        if draw.random() < 0.4:
            return as_text(draw, draw.choice((labels[index], labels[index].lower(), str(index))))
        return as_number(draw, index)
    return as_text(draw, written) if draw.random() < 0.3 else as_number(draw, float(value))


def as_text(draw: random.Random, written: str) -> Written:
    raw = written.encode()
    if len(raw) < 40 and draw.random() < 0.5:
        return Written(frames.STRING, 1, raw.ljust(40, b"\0") if draw.random() < 0.5 else raw + b"\0")
    return Written(frames.CHAR, len(raw) + 1, raw + b"\0" + (bytes(draw.randrange(8)) if draw.random() < 0.2 else b""))


def as_number(draw: random.Random, number: float) -> Written:
    number, able = float(number), [frames.DOUBLE]
    if number == struct.unpack(">f", struct.pack(">f", number))[0]:
        able.append(frames.FLOAT)
    if number.is_integer() and number >= 0:
        able += [data_type for data_type, top in ((frames.INT, 2**15), (frames.ENUM, 2**16), (frames.LONG, 2**31)) if number < top]
    data_type = draw.choice(able)
    return Written(data_type, 1, frames.encoded([number], data_type))


def wrong_put(draw: random.Random, name: str) -> Written:
    """A put to the PV of a setting that breaks a rule of it."""
    kind = draw.randrange(6)
    if kind == 0:
        return unreadable(draw)
    if kind == 1:
        wrong = ([1.5, 65.0], [65.0, -129.0], [float("nan")], [float(0x110000)])
        codes = draw.choice(wrong) if name == "description" else [1.0, 1.0]
        return Written(frames.DOUBLE, len(codes), frames.encoded(codes, frames.DOUBLE))
    if name == "description":
        return as_text(draw, "d" * draw.randrange(256, 3000))
    if name == "group":
        return as_text(draw, draw.choice(("a b", "ü", "x" * 41, "a\nb", "../vac", "vac;")))
    if kind == 2:
        return as_text(
            draw, draw.choice(("abc", "1,5", "", "0x10", "1 2", "--1", "1e", "NaN", "-Infinity", "§", "{rate: 1}", "9" * 400 + "e999"))
        )
    if kind == 3:
        return Written(frames.DOUBLE, 1, frames.encoded([draw.choice((float("nan"), float("inf"), -float("inf")))], frames.DOUBLE))
    number = draw.choice((-1.0, -1e-300, -1e300, 1e300)) if name != "deadband" or kind == 4 else -0.5
    if number > 0 and name == "deadband":
        number = -number
    if name in _HIGHEST and draw.random() < 0.3:
        number = _HIGHEST[name] * 1.0001 + 1
    return Written(frames.DOUBLE, 1, frames.encoded([number], frames.DOUBLE))


def unreadable(draw: random.Random) -> Written:
    """What no writable PV takes: a type that is not for puts, missing elements, or text that is not UTF-8."""
    noise = draw.randbytes(draw.randrange(200))
    match draw.randrange(5):
        case 0:
            return Written(draw.randrange(7, 39), draw.randrange(4), noise)
        case 1:
            return Written(draw.choice((39, 40, 100, 65535)), draw.randrange(4), noise)
        case 2:
            data_type = draw.choice((frames.INT, frames.FLOAT, frames.ENUM, frames.LONG, frames.DOUBLE, frames.CHAR))
            return Written(data_type, len(noise) + 10 + draw.choice((0, 1000, 100_000)), noise)
        case 3:
            return Written(frames.CHAR, len(noise) + 1, b"\xff" + noise)
    return Written(frames.STRING, 1, (b"\xc3(" + noise[:30]).ljust(40, b"\0"))


def anything(draw: random.Random) -> Written:
    """Whatever: for PVs that take nothing."""
    return draw.choice((unreadable(draw), as_number(draw, float(draw.randrange(100))), as_text(draw, text(draw, 500))))
