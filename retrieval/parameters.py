"""Parameters of `/api/...`."""

from __future__ import annotations

from collections.abc import Mapping

from archioc.retrieval.appliance.request import LAST_NS, MAX_NAME, time_of
from archioc.retrieval.appliance.source import Range
from archioc.retrieval.faults import refusal, shown


def name_of(parameters: Mapping[str, str]) -> str:
    """The channel `pv`. Raises HTTPException (400, 404)."""
    name = parameters.get("pv")
    if not name:
        raise refusal(400, "pv is needed")
    if len(name) > MAX_NAME:
        raise refusal(404, f"pv: a name has at most {MAX_NAME} letters")
    return name


def span_of(parameters: Mapping[str, str], *, empty: bool = True) -> Range:
    """From `from` (an hour ago) to `to` (now). empty: whether both may be the same. Raises HTTPException (400)."""
    first, last = parameters.get("from", "-1h"), parameters.get("to", "now")
    begin, end = time_of(first, "from"), time_of(last, "to")
    if not (0 <= begin <= end <= LAST_NS and (empty or begin < end)):
        rule = "not after" if empty else "before"
        raise refusal(400, f"from={shown(first)}, to={shown(last)}: from lies {rule} to, both in 1970 to 2115")
    return Range(begin, end)


def whole_of(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 on. Raises HTTPException (400)."""
    text = parameters.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise refusal(400, f"{name}={shown(text)}: a whole number from 1 to {most}")
    return int(text)
