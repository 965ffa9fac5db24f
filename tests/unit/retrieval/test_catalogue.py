"""Names of channels: from the registry and the store, looked up no more often than needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException

from archioc.core.errors import QueryError
from archioc.retrieval import matching
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.matching import MAX_PATTERN, matching_glob, matching_regex


class Names:
    """A store that only tells names. asked: how often."""

    def __init__(self, *names: str) -> None:
        self.told = list(names)
        self.asked = 0

    def names(self, pattern: str = "*") -> Iterator[str]:
        self.asked += 1
        return iter(self.told)


def test_unknown_names_do_not_wear_out_the_store() -> None:
    """However many unknown names are asked for, the store is asked once in a while; known ones cost nothing."""
    store = Names("B", "A")
    catalogue = Catalogue(store, None)  # type: ignore[arg-type]
    assert [catalogue.has(name) for name in ("A", "B", "C", "D", "A")] == [True, True, False, False, True]
    assert catalogue.names().all == ("A", "B")
    assert store.asked == 1


def test_new_names_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is new in the store is found when the time to ask again has come."""
    monkeypatch.setattr("archioc.retrieval.catalogue.ASKED_AGAIN_S", -1.0)
    store = Names("A")
    catalogue = Catalogue(store, None)  # type: ignore[arg-type]
    assert not catalogue.has("B")
    store.told.append("B")
    assert catalogue.has("B")
    assert catalogue.names().all == ("A", "B")


def test_patterns() -> None:
    """Globs and regular expressions match whole names, case included, in the order of the names."""
    names = ["SR:A", "SR:B", "sr:a", "XSR:A", "SR:µ\n"]
    assert matching_glob(names, "SR:*") == ["SR:A", "SR:B", "SR:µ\n"]
    assert matching_glob(names, "?r:[ab]") == ["sr:a"]
    assert matching_regex(names, "SR:[AB]") == ["SR:A", "SR:B"]
    assert matching_regex(names, "(?i)SR:A") == ["SR:A", "sr:a"]
    assert matching_regex([], "SR") == []


@pytest.mark.timeout(10)
def test_no_pattern_holds_up_the_server() -> None:
    """Patterns that backtracking needs years for are answered at once."""
    names = ["a" * 60 + "b"] * 100
    assert matching_regex(names, "(a+)+c") == []
    assert matching_glob(names, "*a" * 30 + "*c") == []


@pytest.mark.parametrize("regex", ["(", "a" * (MAX_PATTERN + 1), "(?=a)", "a{99999}"])
def test_patterns_that_are_none(regex: str) -> None:
    """A pattern that cannot be understood is refused in one line."""
    with pytest.raises(HTTPException) as refused:
        matching_regex(["a"], regex)
    assert refused.value.status_code == 400
    assert "\n" not in refused.value.detail


def test_a_search_that_takes_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular expression has its time, after which the search ends with an error that says so."""
    monkeypatch.setattr(matching, "REGEX_S", 0.002)
    names = [f"SR:SECTOR{at % 24:02d}:BPM{at:06d}:X:POSITION" for at in range(300_000)]
    with pytest.raises(QueryError, match="the search with this regular expression has taken"):
        matching_regex(names, "(.*)(.{0,50}){3}(.*)x")


def test_brackets_of_a_glob() -> None:
    """A bracket that is not closed stands for itself, however many there are, before and behind those that are."""
    names = ["A[", "A[B", "AB", "A]", "[" * 900]
    assert matching_glob(names, "A[") == ["A["]
    assert matching_glob(names, "A[[]B") == ["A[B"]
    assert matching_glob(names, "A[BC]") == ["AB"]
    assert matching_glob(names, "A[[]*[") == []
    assert matching_glob(names, "[" * 900) == ["[" * 900]
    assert matching_glob(names, "A]") == ["A]"]
