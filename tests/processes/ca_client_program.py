"""`python -m tests.processes.ca_client_program`: gets and puts on request, a JSON object a line (see `ca_client`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import epics
import numpy as np

from tests.processes.ca_client import Request

_TYPES = ("STRING", "INT", "FLOAT", "ENUM", "CHAR", "LONG", "DOUBLE")

_pvs: dict[str, Any] = {}
_events: dict[tuple[str, int], list[object]] = {}
_subscriptions: list[object] = []


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_answer(Request(**json.loads(line)))), flush=True)


def _answer(request: Request) -> dict[str, object]:
    if request.name not in _pvs:
        _pvs[request.name] = epics.PV(request.name, auto_monitor=False, form="time")
    pv = _pvs[request.name]
    if request.operation == "connected":
        return {"value": bool(pv.connected)}
    if not pv.wait_for_connection(timeout=request.timeout_s):
        return {"error": f"{request.name} is not connected after {request.timeout_s:g} s"}
    if request.operation == "put":
        done = pv.put(request.value, wait=True, timeout=request.timeout_s)
        return {"value": done} if done == 1 else {"error": f"put to {request.name} gave {done}"}
    if request.operation in _LOOKS:
        return {"value": _LOOKS[request.operation](pv, request)}
    found = pv.get(as_string=request.operation == "get_text", timeout=request.timeout_s, use_monitor=False)
    if found is None:
        return {"error": f"no value of {request.name} within {request.timeout_s:g} s"}
    return {"value": found.tolist() if isinstance(found, np.ndarray | np.generic) else found}


def _describe(pv: Any, _: Request) -> dict[str, object]:
    control, stamped = epics.ca.get_ctrlvars(pv.chid), epics.ca.get_timevars(pv.chid)
    return {
        "dbr_type": _TYPES[epics.ca.field_type(pv.chid)],
        "count": epics.ca.element_count(pv.chid),
        "write_access": bool(epics.ca.write_access(pv.chid)),
        "enum_strings": [_text(label) for label in control.get("enum_strs", ())],
        "units": _text(control.get("units", "")),
        "precision": control.get("precision", 0),
        "severity": stamped["severity"],
        "time_s": stamped["timestamp"],
    }


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _watch(pv: Any, request: Request) -> object:
    mask = int(str(request.value))
    seen = _events[request.name, mask] = []

    def collect(value: object = None, **_: object) -> None:
        seen.append(value)

    _subscriptions.append(epics.ca.create_subscription(pv.chid, mask=mask, use_ctrl=True, callback=collect))
    epics.ca.poll()
    return True


_LOOKS: dict[str, Callable[[Any, Request], object]] = {
    "writable": lambda pv, _: bool(pv.write_access),
    "describe": _describe,
    "watch": _watch,
    "events": lambda _, request: _events[request.name, int(str(request.value))],
}


if __name__ == "__main__":
    main()
