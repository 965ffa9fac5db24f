from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tests.processes.waiting import wait_until

ANSWER_S = 30.0
"""What a machine may take that does something else for a while."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the client process is asked: `operation` is get, get_text, put, connected, writable, describe, watch or events."""

    operation: str
    name: str
    value: object = None
    timeout_s: float = ANSWER_S


@dataclass(frozen=True, slots=True)
class Description:
    """What libca tells of a channel: DBR_CTRL and DBR_TIME read, and what the server said when the channel was made."""

    dbr_type: str
    count: int
    write_access: bool
    enum_strings: list[str]
    units: str
    precision: int
    severity: int
    time_s: float


class CaClient:
    """A CA client (pyepics) in a process of its own, since threads of libca never end.

    Each call raises RuntimeError with the client's words when the channel does not connect or answer in time.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.ca_client_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, name: str, timeout_s: float = ANSWER_S) -> object:
        """The value: a number (the index of an enum), a text or a list."""
        return self._ask(Request("get", name, timeout_s=timeout_s))

    def get_text(self, name: str, timeout_s: float = ANSWER_S) -> str:
        """The value as text: the label of an enum, a CHAR waveform as the string it holds."""
        return str(self._ask(Request("get_text", name, timeout_s=timeout_s)))

    def put(self, name: str, value: object, timeout_s: float = ANSWER_S) -> None:
        """Put and wait for the server's completion; a str goes to a CHAR waveform as its bytes."""
        self._ask(Request("put", name, value, timeout_s))

    def connected(self, name: str) -> bool:
        """Whether the channel is connected now; the first call only begins to search for it."""
        return self._ask(Request("connected", name)) is True

    def writable(self, name: str) -> bool:
        """Whether the server tells this client that it may write."""
        return self._ask(Request("writable", name)) is True

    def describe(self, name: str) -> Description:
        """Type, count, rights and metadata of a channel."""
        answer = self._ask(Request("describe", name))
        assert isinstance(answer, dict)
        return Description(**answer)

    def watch(self, name: str, mask: int) -> None:
        """Begin to collect the events of a monitor with this mask (DBE_ of `caeventmask.h`)."""
        self._ask(Request("watch", name, mask))

    def events(self, name: str, mask: int) -> list[object]:
        """The values that the monitor of `watch` has had so far."""
        answer = self._ask(Request("events", name, mask))
        assert isinstance(answer, list)
        return answer

    def wait_for_value(self, name: str, expected: object, timeout_s: float = 60.0) -> None:
        """Wait until a get gives this value (a str is compared with the text of the channel). Raises TimeoutError."""
        read = self.get_text if isinstance(expected, str) else self.get
        wait_until(lambda: read(name) == expected, timeout_s, f"{name} is {expected!r}")

    def stop(self) -> None:
        """End the client process."""
        self._process.kill()
        self._process.communicate(timeout=10)

    def _ask(self, request: Request) -> object:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(request)) + "\n")
        deadline = time.monotonic() + 2 * request.timeout_s + 10
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                raise RuntimeError(f"no answer from the CA client to {request}")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the CA client ended with {self._process.wait(timeout=10)} at {request}")
        answer: dict[str, object] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer["value"]
