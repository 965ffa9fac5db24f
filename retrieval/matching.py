"""Names that match a pattern of a client, in bounded time whatever the pattern is."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Sequence

import numpy as np

from archioc.retrieval.faults import refusal

MAX_PATTERN = 1000
"""Letters of a pattern."""


def matching_glob(names: Sequence[str], glob: str) -> list[str]:
    """Names that match a glob (`*`, `?`, `[...]`; case matters), in their order. Raises HTTPException (400)."""
    _check_length(glob)
    # Python's translation of a glob never goes back over what a star has taken
    return [*filter(re.compile(fnmatch.translate(glob)).match, names)]


def matching_regex(names: Sequence[str], regex: str) -> list[str]:
    """Names that match a regular expression as a whole, in their order. Raises HTTPException (400).

    DuckDB matches (RE2: in time that grows with the length of the name only); `re` can be held up for years, and with it all
    threads. Hence no look-ahead and no back-references.
    """
    import duckdb  # noqa: PLC0415 - 40 MB, which only a search with a regular expression needs

    _check_length(regex)
    if not names:
        return []
    with contextlib.closing(duckdb.connect(config={"threads": 1})) as connection:
        connection.register("known", {"place": np.arange(len(names)), "name": np.array(names, object)})
        try:
            found = connection.execute("select place from known where regexp_full_match(name, ?) order by place", [regex]).fetchnumpy()
        except duckdb.InvalidInputException as error:
            raise refusal(400, f"regex {regex!r}: {' '.join(str(error).split())}") from None
    return [names[at] for at in np.asarray(found["place"], np.intp).tolist()]


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise refusal(400, f"a pattern has at most {MAX_PATTERN} letters")
