"""How long a query may work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from archioc.core.errors import QueryError

T = TypeVar("T")


class Budget:
    """The time that one query may work (s); the time that its client takes for the answer is not counted."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._spent = 0.0
        self._since: float | None = None

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """The query works meanwhile. Raises QueryError when it has used up its time."""
        self.check()
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - self._since
            self._since = None

    def check(self) -> None:
        """Raise QueryError when the time is used up."""
        spent = self._spent + (0.0 if self._since is None else time.monotonic() - self._since)
        if spent > self._limit_s:
            raise QueryError(f"the query has worked for {self._limit_s:g} s (http.query_limit); ask for a shorter range")

    def watch(self, found: Iterable[T]) -> Iterator[T]:
        """The same things, as long as there is time. Raises QueryError."""
        for one in found:
            self.check()
            yield one
