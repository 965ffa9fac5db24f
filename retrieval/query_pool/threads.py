"""Threads for what waits for the store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """A fixed number of threads that work one after the other on what they are given.

    They end with the process whatever they are doing; those of `concurrent.futures` would hold it up as long as the store does.
    """

    def __init__(self, number: int, name: str = "query") -> None:
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for at in range(number):
            threading.Thread(target=self._work, name=f"{name}_{at}", daemon=True).start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have it done; how many wait is bounded by those who ask."""
        future: Future[T] = Future()
        self._waiting.put(lambda: _do(work, future))
        return future

    def _work(self) -> None:
        while True:
            self._waiting.get()()


def _do(work: Callable[[], T], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = work()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
        future.set_exception(error)
    else:
        future.set_result(found)
