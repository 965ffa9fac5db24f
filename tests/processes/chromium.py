"""A real browser without a window, driven by the DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.processes.tools import missing_tool

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "chromium"
EXECUTABLE = "chromium-headless-shell"

ANSWER_S = 60.0

_LAUNCH = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
"""Chromium takes commands on descriptor 3 and answers on 4."""

_OPTIONS = ["--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]


class BrowserError(AssertionError):
    """What the browser says instead of an answer."""


class Chromium:
    """One page. faults: what went wrong in it: exceptions, and what the console says of errors. width, height: pixels."""

    def __init__(self, directory: Path, width: int = 1100, height: int = 900) -> None:
        self.faults: list[str] = []
        self._directory, self._number, self._waiting = directory, 0, b""
        self._process, self._to, self._from = _start(directory)
        target = self._call("Target.createTarget", None, url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", None, targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def call(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol to the page."""
        return self._call(method, self._session, **parameters)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """The size of the window."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, *, on: bool) -> None:
        """What the person prefers."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is worth; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, until: Callable[[Any], object] = bool) -> Any:
        """The value of an expression once it is as wanted."""
        end = time.monotonic() + ANSWER_S
        while not until(found := self.value(expression)):
            assert time.monotonic() < end, f"{expression} is still {found!r}; faults: {self.faults}"
            time.sleep(0.05)
        return found

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the mouse."""
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for kind, (x, y) in (
            ("mouseMoved", start),
            ("mousePressed", start),
            ("mouseMoved", middle),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=int(kind != "mouseReleased"), clickCount=1)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press a key. code: its Windows virtual key code."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
            if kind == "rawKeyDown" and key == " ":
                self.call("Input.dispatchKeyEvent", type="char", key=key, text=key)

    def screenshot(self) -> bytes:
        """What is in the window, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """End the browser."""
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._from)

    def _call(self, method: str, session: str | None, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | ({} if session is None else {"sessionId": session})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next_message()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(event["params"]["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.faults.append(str(event["params"]["entry"]))

    def _next_message(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._from], [], [], ANSWER_S)
            piece = os.read(self._from, 1 << 16) if ready else b""
            if not piece:
                raise BrowserError(f"no answer: {self._directory.joinpath('chromium.log').read_text()[-2000:]}")
            self._waiting += piece
        message, _, self._waiting = self._waiting.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


def _start(directory: Path) -> tuple[subprocess.Popen[bytes], int, int]:
    """The process, where commands are written, where answers are read."""
    executable = shutil.which(EXECUTABLE, path=f"{CACHE / 'usr/lib/chromium'}:{os.environ['PATH']}")
    if executable is None:
        missing_tool("chromium", "make chromium unpacks Debian's into .cache")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    given = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (theirs_in, theirs_out)]
    profile = directory / "profile"
    command = [executable, *_OPTIONS, f"--user-data-dir={profile}", f"--crash-dumps-dir={profile}"]
    libraries = ":".join(str(place) for place in (CACHE / "usr/lib").glob("*-linux-gnu")) + ":"
    libraries += ":".join(str(place) for place in (CACHE / "usr/lib").glob("*-linux-gnu/*/") if place.is_dir())
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries, "HOME": str(directory), "XDG_DATA_HOME": str(CACHE / "usr/share")}
    with directory.joinpath("chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *map(str, given), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=given,
            env=environment,
        )
    for one in (theirs_in, theirs_out, *given):
        os.close(one)
    return process, ours_out, ours_in
