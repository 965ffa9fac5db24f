"""How the store answers, shown in the head of the delivery block."""

from __future__ import annotations

import time

import structlog

from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import StoreState
from archioc.db.store import WriteOutcome

_log = structlog.get_logger()

_LEFT_OUT = b" ... "

SHOW_REFUSAL_S = 60.0
"""How long a refusal of samples stays visible when later files are taken."""


class StoreStatus:
    """Writes `store_state`, `error`, `retries` and the figures of the last write. One thread calls it."""

    def __init__(self, block: MappedFile) -> None:
        self._block = block
        self._refused_until = 0.0
        self._show(StoreState.UNKNOWN, "")
        self._block.head["spool_error"] = b""

    def answered(self, remark: str, trouble: str = "") -> None:
        """The store answers, and so does the spool. remark: what a person should know all the same; trouble: why all is not well."""
        self._block.head["spool_error"] = b""
        if time.monotonic() >= self._refused_until:
            state = StoreState.DEGRADED if trouble else StoreState.OK
            self._show(state, "; ".join(filter(None, (trouble, remark))))

    def wrote(self, took: float, committed_ns: int, outcome: WriteOutcome, remark: str, trouble: str = "") -> None:
        """The store has answered for a file, `took` seconds after it was sent."""
        now = time.time_ns()
        self._block.head["last_write"] = now
        self._block.head["write_time"] = took
        self._block.head["lag"] = max(0.0, (now - committed_ns) / 1e9)
        self._block.head["spool_error"] = b""
        if outcome.remark:
            self._refused_until = time.monotonic() + SHOW_REFUSAL_S
            self._show(StoreState.REJECTING, outcome.remark)
        else:
            self.answered(remark, trouble)

    def failed(self, state: StoreState, why: str) -> None:
        """The store has failed; it will be tried again."""
        self._block.head["retries"] += 1
        self._refused_until = 0.0
        self._show(state, why)

    def spool_failed(self, why: str) -> None:
        """The disk of the spool has failed; it will be tried again."""
        head = self._block.head
        if not head["spool_error"][0]:
            _log.error("spool_failed", error=why)
        head["retries"] += 1
        head["spool_error"] = _fitting(why, head.dtype["spool_error"].itemsize)

    def _show(self, state: StoreState, error: str) -> None:
        before = int(self._block.head["store_state"][0])
        self._block.head["store_state"] = state
        self._block.head["error"] = _fitting(error, self._block.head.dtype["error"].itemsize)
        if state != before and state is not StoreState.UNKNOWN:
            log = _log.info if state is StoreState.OK else _log.warning
            log("store_state", state=state.name.lower(), error=error)


def _fitting(text: str, size: int) -> bytes:
    """A text in at most `size` bytes of UTF-8: its beginning, and its end, which often has the cause. No character is cut in two."""
    raw = text.encode()
    if len(raw) <= size:
        return raw
    end = raw[-size // 3 :].decode(errors="ignore").encode()
    return raw[: size - len(end) - len(_LEFT_OUT)].decode(errors="ignore").encode() + _LEFT_OUT + end
