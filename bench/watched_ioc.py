"""`python -m bench.watched_ioc CALLBACKS CONFIG ...`: the control process (`python -m archioc.ioc CONFIG ...`) with its event loop watched.

A callback of the loop that takes longer than NOTED_S is noted in the file CALLBACKS, a line of JSON each, and so is a garbage collection.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archioc.ioc.__main__ import main

NOTED_S = 0.002


@dataclass(frozen=True, slots=True)
class Callback:
    """What kept the loop. at_s: monotonic time of its beginning; cpu_s: of the loop's thread, which others do not lengthen."""

    name: str
    at_s: float
    wall_s: float
    cpu_s: float


def read_callbacks(path: Path, since_s: float = 0.0) -> list[Callback]:
    """What was noted since a moment of monotonic time; a line that is being written is left out."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [found for found in (Callback(**json.loads(line)) for line in lines) if found.at_s >= since_s]


def watch(path: Path) -> None:
    """Have each callback of every event loop of this process timed, and each garbage collection."""
    notes = path.open("a", buffering=1)
    run = asyncio.events.Handle._run  # noqa: SLF001 - the one place that all callbacks pass
    collecting: list[tuple[float, float]] = []
    begun = threading.Event()

    def note(name: str, at_s: float, begun_cpu_s: float) -> None:
        callback = Callback(name, at_s, time.monotonic() - at_s, time.thread_time() - begun_cpu_s)
        if callback.wall_s > NOTED_S:
            notes.write(json.dumps(asdict(callback)) + "\n")

    def timed(handle: Any) -> None:
        begun.set()
        at_s, cpu_s = time.monotonic(), time.thread_time()
        callback = handle._callback  # noqa: SLF001 - a handle that has run no longer tells
        run(handle)
        note(_name(callback), at_s, cpu_s)

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            collecting.append((time.monotonic(), time.thread_time()))
        else:
            noted = collecting.pop()
            if begun.is_set():  # before that there is no loop to be held up
                note(f"garbage collection {info['generation']}", *noted)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]  # noqa: SLF001
    gc.callbacks.append(collected)


def _name(callback: Any) -> str:
    """The function, and of a task the coroutines that wait for each other, down to where it stands."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", callback))
    names = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        names.append(getattr(waiting, "__qualname__", type(waiting).__name__) + (f":{frame.f_lineno}" if frame else ""))
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return " < ".join(names)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    del sys.argv[1]
    sys.exit(main())
