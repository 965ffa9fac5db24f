"""Names that match a pattern of a client, in bounded time whatever the pattern is."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Iterable, Sequence

import numpy as np
from starlette.exceptions import HTTPException

from archioc.core.errors import QueryError
from archioc.db.embedded.statement_limit import StatementLimit
from archioc.retrieval.faults import refusal, shown

MAX_PATTERN = 1000
"""Letters of a pattern."""

REGEX_S = 10.0
"""How long a search with a regular expression may take."""

_limit = StatementLimit()


_BRACKET = re.compile(r"(?<!\\)([\[\]])")


def searched_regex(names: Sequence[str], regex: str) -> list[str]:
    """Names that a person means who types a glob, of which the client has made a regular expression, in their order.

    Phoebus makes `.*` of `*` and leaves brackets as they are (`RegExHelper.fullRegexFromGlob`), so brackets stand for themselves, too.
    Case does not matter, as in the other searches. Raises HTTPException (400), and QueryError as `matching_regex`.
    """
    literal = _BRACKET.sub(r"\\\1", regex)
    if literal == regex:
        return matching_regex(names, regex, ignore_case=True)
    try:
        return matching_regex(names, f"(?:{regex})|(?:{literal})", ignore_case=True)
    except HTTPException:  # a bracket that is never closed
        return matching_regex(names, literal, ignore_case=True)


def searched_glob(names: Sequence[str], glob: str) -> list[str]:
    """Names that a person means who types a glob, in their order: case does not matter, and brackets stand for themselves, too.

    Raises HTTPException (400).
    """
    folded = [name.casefold() for name in names]
    meant = {*matching_glob(folded, glob.casefold()), *matching_glob(folded, glob.casefold().replace("[", "[[]"))}
    return [name for name, fold in zip(names, folded, strict=True) if fold in meant]


def matching_glob(names: Iterable[str], glob: str) -> list[str]:
    """Names that match a glob (`*`, `?`, `[...]`; case matters), in their order. Raises HTTPException (400)."""
    check_length(glob)
    # Python looks for the end of each bracket up to the end of the glob; behind the last end there is nothing to look for.
    closed, bracket, rest = glob.rpartition("]")
    # Python's translation of a glob never goes back over what a star has taken
    return [*filter(re.compile(fnmatch.translate(closed + bracket + rest.replace("[", "[[]"))).match, names)]


def matching_regex(names: Sequence[str], regex: str, *, ignore_case: bool = False) -> list[str]:
    """Names that match a regular expression as a whole, in their order. Raises HTTPException (400).

    DuckDB matches (RE2: in time that grows with the length of the name only); `re` can be held up for years, and with it all
    threads. Hence no look-ahead and no back-references. Raises QueryError after REGEX_S.
    """
    import duckdb  # noqa: PLC0415 - 40 MB, which only a search with a regular expression needs

    check_length(regex)
    if not names:
        return []
    with contextlib.closing(duckdb.connect(config={"threads": 1})) as connection:
        connection.register("known", {"place": np.arange(len(names)), "name": np.array(names, object)})
        try:
            with _limit.within(REGEX_S, connection):
                query = "select place from known where regexp_full_match(name, ?, ?) order by place"
                found = connection.execute(query, [regex, "i" if ignore_case else "c"]).fetchnumpy()
        except duckdb.InvalidInputException as error:
            raise refusal(400, f"regex {shown(regex)}: {' '.join(str(error).split())}") from None
        except duckdb.InterruptException:
            raise QueryError(f"the search with this regular expression has taken {REGEX_S:g} s; give a simpler one") from None
    return [names[at] for at in np.asarray(found["place"], np.intp).tolist()]


def check_length(pattern: str) -> None:
    """Raise HTTPException (400) for a pattern of more than MAX_PATTERN letters."""
    if len(pattern) > MAX_PATTERN:
        raise refusal(400, f"a pattern has at most {MAX_PATTERN} letters")
