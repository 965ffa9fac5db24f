"""Requests that nobody in good faith sends: names, times, operators and numbers, by random choice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote, urlencode

NAMES = [
    "x' OR '1'='1",
    "x' OR 1=1 --",
    "'; drop table sample; --",
    '" OR "pv" =~ /.*/ OR "pv" = "',
    "x') UNION ALL SELECT * FROM sample --",
    "' or pv like '%",
    '"; SELECT * FROM "sample',
    "/.*/",
    "\\",
    "x\\' OR 1=1 --",
    "x\\\\",
    "$pv",
    "${jndi:ldap://127.0.0.1/x}",
    "../../etc/passwd",
    "%00",
    "a\x00b",
    "\n",
    "x\r\nSet-Cookie: a=b",
    "{0.__class__}",
    "%s%n",
    "*",
    ".*",
    "[",
    "(((((",
    "ca://",
    ".VAL",
    "é" * 200,
    "\U0001f600",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "a" * 499,
    "a" * 20_000,
]
"""None of them is the name of a channel."""

OPERATORS = [
    "mean",
    "optimized",
    "errorbar",
    "nth",
    "deadBand",
    "flyers",
    "ncount",
    "stats",
    "caplotbinning",
    "lastFill",
    "loess",
    "eval",
    "",
]
ARGUMENTS = [
    "0",
    "-1",
    "1e9",
    "1e400",
    "nan",
    "inf",
    "",
    "60",
    "99999999999999999999",
    "0x10",
    "60,3",
    "1;drop",
    "' or 1=1",
    "٣",
    "_",
    "1_000",
]
TIMES = [
    "now",
    "-1h",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "0000-00-00",
    "2026-01-01T00:00:00+99:99",
    "-99999999999999999y",
    "1e400",
    "' OR time > 0 --",
    "NaN",
    "",
    "2026-01-01T00:00:00.1234567891Z",
    "\uff11999-01-01",
]
NUMBERS = ["0", "-1", "1", "4000", "99999999999999999999", "1e9", "NaN", "", "0x10", "²", "1;drop", " 5 "]
REGEXES = ["(a+)+$", "(?=a)", "[", "\\", "(?P<x>", "x{999999}", "' OR 1=1", "\\1", "a" * 1001, "(" * 300, "\x00"]
FORMATS = ["raw", "json", "qw", "csv", "txt", "xml", "", "raw/..", "%2e"]


def hostile_paths(seed: int, count: int, known: str) -> Iterator[str]:
    """Paths with their queries. known: a channel, which some of them ask for with everything else being odd."""
    choice = random.Random(seed)
    for _ in range(count):
        yield choice.choice(_KINDS)(choice, choice.choice([*NAMES, known]))


def _data(choice: random.Random, name: str) -> str:
    operator, argument = choice.choice(OPERATORS), choice.choice(ARGUMENTS)
    asked = choice.choice([name, f"{operator}_{argument}({name})", f"{operator}({name},{argument})"])
    path = choice.choice(["getData", "getDataForPVs"])
    parameters = _span(choice) | ({"pp": f"{operator}_{argument}"} if choice.random() < 0.2 else {})
    if choice.random() < 0.1:
        parameters["timeranges"] = ",".join(choice.choices(TIMES, k=choice.randint(1, 4)))
    return f"/retrieval/data/{path}.{choice.choice(FORMATS)}?{_query(pv=asked, **parameters)}"


def _names(choice: random.Random, name: str) -> str:
    pattern = choice.choice([{"regex": choice.choice(REGEXES)}, {"pv": name}, {"regex": name}])
    path = choice.choice(["getMatchingPVs", "searchForPVsRegex", "getMetadata", "areWeArchivingPV"])
    return f"/retrieval/bpl/{path}?{_query(limit=choice.choice(NUMBERS), **pattern)}"


def _mgmt(choice: random.Random, name: str) -> str:
    path = choice.choice(["getAllPVs", "getPVStatus", "getPVTypeInfo", "getPVDetails", "getEventRateReport", "archivedPVs", "deletePV"])
    return f"/mgmt/bpl/{path}?{_query(pv=name, limit=choice.choice(NUMBERS))}"


def _archive(choice: random.Random, name: str) -> str:
    if choice.random() < 0.3:
        return f"/archive/1/channels-by-pattern/{quote(name)}"
    numbers = {key: choice.choice(NUMBERS) for key in ("start", "end", "count")}
    return f"/archive/{choice.choice(['1', '2', 'x'])}/samples/{quote(name)}?{_query(**numbers)}"


def _columns(choice: random.Random, name: str) -> str:
    path = choice.choice(["samples", "bins", "alarms", "events", "plot", "channels"])
    return f"/api/{path}?{_query(pv=name, bins=choice.choice(NUMBERS), limit=choice.choice(NUMBERS), **_span(choice))}"


def _page(choice: random.Random, name: str) -> str:
    return f"/{choice.choice(['page', 'retrieval', 'mgmt/bpl', 'x'])}/{quote(name)}"


def _span(choice: random.Random) -> dict[str, str]:
    return {key: choice.choice(TIMES) for key in ("from", "to") if choice.random() < 0.5}


def _query(**parameters: str) -> str:
    return urlencode(parameters)


_KINDS = (_data, _data, _names, _mgmt, _archive, _columns, _page)
