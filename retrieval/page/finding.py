"""Which names a person means who types into a search box."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from archioc.retrieval.faults import refusal
from archioc.retrieval.matching import check_length

MAX_WORDS = 20

Test = Callable[[str], object]


def find_names(names: Iterable[str], search: str) -> list[str]:
    """Names in which each word of `search` stands somewhere, in their order; case does not matter.

    A word with `*` or `?` is a glob that the whole name must match. Nothing searched for: all names.
    Raises HTTPException (400) for more than MAX_WORDS words or MAX_PATTERN letters.
    """
    check_length(search)
    words = search.casefold().split()
    if len(words) > MAX_WORDS:
        raise refusal(400, f"search: {len(words)} words, at most {MAX_WORDS}")
    if not words:
        return [*names]
    tests = [_test_of(word) for word in words]
    return [name for name in names if _passes(name.casefold(), tests)]


def _passes(folded: str, tests: Sequence[Test]) -> bool:
    return all(test(folded) for test in tests)


def _test_of(word: str) -> Test:
    if "*" in word or "?" in word:
        # Only the two are special: brackets may stand in a name.
        return re.compile(fnmatch.translate(word.replace("[", "[[]"))).match
    return lambda folded: word in folded
