"""Several spool files on their way to the store at once.

A lane does nothing but wait for the store: which file goes, what is counted and what is let go of is the
business of the one thread that owns the lanes (`archioc.db.delivery.loop`), so files may be answered for in any order.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from archioc.core.spool.spool import SpoolEntry, SpoolFile
from archioc.db.store import WriteOutcome, Writer


@dataclass(frozen=True, slots=True, eq=False)
class Claimed:
    """A spool file that is ours, and what is in it."""

    entry: SpoolEntry
    file: SpoolFile


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the store said to a file. took: seconds."""

    claimed: Claimed
    said: Future[WriteOutcome]
    took: float

    def outcome(self) -> WriteOutcome:
        """What became of the file. Raises what the write has raised: StoreUnavailable or StoreDenied."""
        return self.said.result()


class Writers(Protocol):
    """Sends files. One thread calls it."""

    @property
    def in_flight(self) -> int:
        """Files sent and not answered for."""
        ...

    def send(self, claimed: Claimed) -> None:
        """Give a file to the store, without waiting for it."""
        ...

    def answer(self, timeout: float) -> Answer | None:
        """The next answer, in the order in which they come; None when there is none within `timeout` seconds."""
        ...


class WriterPool:
    """Lanes with a thread for each file: starting one costs nothing beside a request.

    The threads do not keep the process from ending; what they have not sent by then is still claimed.
    """

    def __init__(self, store: Writer) -> None:
        self._store = store
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def send(self, claimed: Claimed) -> None:
        self._in_flight += 1
        threading.Thread(target=self._write, args=(claimed,), name="lane", daemon=True).start()

    def answer(self, timeout: float) -> Answer | None:
        try:
            found = self._answers.get(timeout=timeout)
        except queue.Empty:
            return None
        self._in_flight -= 1
        return found

    def _write(self, claimed: Claimed) -> None:
        self._answers.put(write(self._store, claimed))


def write(store: Writer, claimed: Claimed) -> Answer:
    """Have the store take a file, and the events that tell of what it refuses."""
    said: Future[WriteOutcome] = Future()
    started = time.monotonic()
    try:
        outcome = store.write(claimed.file)
        if outcome.events:
            store.write_events(outcome.events)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the owner of the lanes raises it
        said.set_exception(error)
    else:
        said.set_result(outcome)
    return Answer(claimed, said, time.monotonic() - started)
