"""How long a query may work for each piece of its answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from archioc.core.errors import QueryError

T = TypeVar("T")


class Budget:
    """The time that one query may work for the next piece of its answer (s)."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since = 0.0

    def begin(self) -> None:
        """The work on a piece begins."""
        self._since = time.monotonic()

    def check(self) -> None:
        """Raise QueryError when the time is used up."""
        if time.monotonic() - self._since > self._limit_s:
            raise QueryError(f"the query has worked for {self._limit_s:g} s (http.query_limit) on one piece; ask for a shorter range")

    def watch(self, found: Iterable[T]) -> Iterator[T]:
        """The same things, as long as there is time. Raises QueryError."""
        for one in found:
            self.check()
            yield one
