from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""How long a test waits for what must come: a machine that is busy, or stands still for seconds, is no fault of what is tested."""


def wait_until(condition: Callable[[], object], timeout_s: float, what: str, poll_s: float = 0.02) -> None:
    """Wait until the condition holds. Raises TimeoutError that says what was waited for.

    The condition is looked at once more when time is up: a machine that stood still meanwhile had no time to look.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() > deadline
        if condition():
            return
        if late:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(poll_s)
