"""What a client asks for: channels, operators, ranges of time."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from archioc.core.errors import TimeFormatError
from archioc.core.timestamp import SECOND, parse_time
from archioc.retrieval.appliance.post_processors.operators import Operator, operator
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.faults import refusal, shown

LAST_NS = 2**62
"""No sample is looked for after this (year 2116), which leaves room to reckon with bins."""

MAX_NAME = 500
"""Letters of what is asked for of one channel."""

MAX_TIME = 64
"""Letters of a time."""

MAX_TIMES = 1000
"""Times in `timeranges`."""

MAX_LIMIT_LETTERS = 20

HOUR_NS, DAY_NS = 3600 * SECOND, 86_400 * SECOND

_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_ZONELESS = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?")
_BLANK_OFFSET = re.compile(r"(\S*T\d\d:\d\d\S*) (\d\d:?\d\d)")
"""Matched as a whole and against at most MAX_TIME letters, since it may have to go back from each T."""


@dataclass(frozen=True, slots=True)
class PvQuery:
    """Samples of one channel. asked: as the client wrote the name of the channel; operate: what is made of them."""

    asked: str
    channel: str
    operate: Operator


def parse_query(text: str, post_processor: str | None, catalogue: Catalogue) -> PvQuery:
    """`NAME`, `mean_60(NAME)` or `mean(NAME,60)`; a channel may be called so itself, and its name may hold parentheses and commas.

    post_processor: an operator that is named beside.

    Raises HTTPException: 400 where parentheses do not match, 404 for a channel or an argument that there is not.
    """
    if len(text) > MAX_NAME or len(post_processor or "") > MAX_NAME:
        raise refusal(400, f"a name has at most {MAX_NAME} letters, and so has a post-processor")
    asked = text.strip()
    if catalogue.archived(asked) is not None or ("(" in asked and asked in catalogue.names().stored):
        return PvQuery(asked, asked, operator(post_processor) if post_processor else Source.runs)
    name, operate = asked, post_processor
    if "(" in asked or ")" in asked:
        called = re.fullmatch(r"([A-Za-z][^()]*)\((.+)\)", asked)
        if called is None:
            raise refusal(400, f"pv={shown(asked)}: parentheses do not match")
        name, arguments = _arguments_of(called[2], catalogue)
        if name.count("(") != name.count(")") and find_channel(name, catalogue) is None:
            raise refusal(400, f"pv={shown(asked)}: parentheses do not match")
        operate = "_".join([called[1], *arguments])
    return PvQuery(name.strip(), channel_of(name.strip(), catalogue), operator(operate) if operate else Source.runs)


def _arguments_of(inside: str, catalogue: Catalogue) -> tuple[str, list[str]]:
    """The name of the channel and the arguments of an operator, of what stands between its parentheses.

    A name may hold commas, so the longest text that is a channel is the name; where none is, the text before the first comma.
    """
    parts = inside.split(",")
    for length in range(len(parts), 0, -1):
        name = ",".join(parts[:length]).strip()
        if find_channel(name, catalogue) is not None:
            return name, [argument.strip() for argument in parts[length:]]
    return parts[0].strip(), [argument.strip() for argument in parts[1:]]


def find_channel(name: str, catalogue: Catalogue) -> str | None:
    """The channel that a client means: a protocol before the name and `.VAL` after it are left out. None when there is no such channel."""
    if len(name) > MAX_NAME:
        return None
    bare = re.sub(r"^\w+://", "", name)
    candidates = dict.fromkeys((bare, bare.removesuffix(".VAL")))
    return next((candidate for candidate in candidates if candidate and catalogue.has(candidate)), None)


def channel_of(name: str, catalogue: Catalogue) -> str:
    """The same. Raises HTTPException (404)."""
    found = find_channel(name, catalogue)
    if found is None:
        raise refusal(404, f"{shown(name)}: no such channel in this archive")
    return found


def ranges_of(parameters: QueryParams) -> list[Range]:
    """The ranges: `timeranges`, pairs of times, else `from` and `to`. Raises HTTPException (400)."""
    now_ns = time.time_ns()
    pairs = parameters.get("timeranges")
    if pairs:
        if pairs.count(",") >= MAX_TIMES:
            raise refusal(400, f"timeranges: at most {MAX_TIMES} times; send several requests")
        times = [time_of(text, "timeranges") for text in pairs.split(",")]
        if len(times) % 2 or times != sorted(times):
            raise refusal(400, "timeranges: pairs of times in ascending order")
        return [_range(begin, end) for begin, end in zip(times[::2], times[1::2], strict=True)]
    end = time_of(parameters["to"], "to") if parameters.get("to") else now_ns + HOUR_NS
    begin = time_of(parameters["from"], "from") if parameters.get("from") else end - DAY_NS
    if end < begin:
        raise refusal(400, f"to={shown(parameters.get('to', ''))}: lies before from={shown(parameters.get('from', ''))}")
    return [_range(begin, end)]


def time_of(text: str, parameter: str) -> int:
    """A time in ISO 8601 (ns since 1970); without a zone it is UTC. Raises HTTPException (400)."""
    if len(text) > MAX_TIME:
        raise refusal(400, f"{parameter}={shown(text)}: a time has at most {MAX_TIME} letters")
    word = text.strip()
    if blank := _BLANK_OFFSET.fullmatch(word):  # a plus that the client did not encode
        word = f"{blank[1]}+{blank[2]}"
    try:
        return parse_time(f"{word}Z" if _ZONELESS.fullmatch(word) else word, time.time_ns())
    except TimeFormatError as error:
        raise refusal(400, f"{parameter}: {error}") from None


def whole_limit(text: str) -> int:
    """A number of names, of which a negative one means all. Raises HTTPException (400)."""
    if len(text) > MAX_LIMIT_LETTERS or _WHOLE.fullmatch(text) is None:
        raise refusal(400, f"limit={shown(text)}: a whole number, -1 for all")
    return int(text)


def flag(parameters: QueryParams, name: str) -> bool:
    """Whether a parameter is `true` or `1`."""
    return parameters.get(name, "").lower() in {"true", "1"}


def _range(begin_ns: int, end_ns: int) -> Range:
    begin, end = (min(max(one, 0), LAST_NS) for one in (begin_ns, end_ns))
    return Range(begin, end)
