"""Names that match a pattern of a client, in bounded time whatever the pattern is."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Iterable, Sequence

import numpy as np

from archioc.core.errors import QueryError
from archioc.db.embedded.statement_limit import StatementLimit
from archioc.retrieval.faults import refusal, shown

MAX_PATTERN = 1000
"""Letters of a pattern."""

REGEX_S = 10.0
"""How long a search with a regular expression may take."""

_limit = StatementLimit()


def matching_glob(names: Iterable[str], glob: str) -> list[str]:
    """Names that match a glob (`*`, `?`, `[...]`; case matters), in their order. Raises HTTPException (400)."""
    check_length(glob)
    # Python looks for the end of each bracket up to the end of the glob; behind the last end there is nothing to look for.
    closed, bracket, rest = glob.rpartition("]")
    # Python's translation of a glob never goes back over what a star has taken
    return [*filter(re.compile(fnmatch.translate(closed + bracket + rest.replace("[", "[[]"))).match, names)]


def matching_regex(names: Sequence[str], regex: str) -> list[str]:
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
                found = connection.execute("select place from known where regexp_full_match(name, ?) order by place", [regex]).fetchnumpy()
        except duckdb.InvalidInputException as error:
            raise refusal(400, f"regex {shown(regex)}: {' '.join(str(error).split())}") from None
        except duckdb.InterruptException:
            raise QueryError(f"the search with this regular expression has taken {REGEX_S:g} s; give a simpler one") from None
    return [names[at] for at in np.asarray(found["place"], np.intp).tolist()]


def check_length(pattern: str) -> None:
    """Raise HTTPException (400) for a pattern of more than MAX_PATTERN letters."""
    if len(pattern) > MAX_PATTERN:
        raise refusal(400, f"a pattern has at most {MAX_PATTERN} letters")
