"""`python -m tests.processes.ca_client_program`: gets and puts on request, a JSON object a line (see `ca_client`)."""

from __future__ import annotations

import json
import sys
from typing import Any

import epics
import numpy as np

from tests.processes.ca_client import Request

_pvs: dict[str, Any] = {}


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
    if request.operation == "writable":
        return {"value": bool(pv.write_access)}
    found = pv.get(as_string=request.operation == "get_text", timeout=request.timeout_s, use_monitor=False)
    if found is None:
        return {"error": f"no value of {request.name} within {request.timeout_s:g} s"}
    return {"value": found.tolist() if isinstance(found, np.ndarray | np.generic) else found}


if __name__ == "__main__":
    main()
