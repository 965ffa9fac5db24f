"""Channels of the EPICS Archiver Appliance: what its `exportConfig` and `getPVTypeInfo` answer, and what `archivePV` takes.

A JSON list of objects, or of names; or one object. Its values are texts, also numbers and truths. Keys are compared without
case: type infos write `samplingMethod`, requests `samplingmethod`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson

from archioc.core.channel import MAX_RATE
from archioc.importing.gathering import Gathering

DEFAULT_PERIOD_S = 1.0
"""Of the appliance, where an entry gives none."""

_UNMAPPED = {
    "controllingpv": "controllingPV (a group with a condition does that here)",
    "archivefields": "archiveFields (a field is a channel of its own here, such as NAME.HIHI)",
    "policyname": "policies of the appliance",
    "policy": "policies of the appliance",
    "alias": "aliases",
}
_NAMELESS = frozenset({"", "default"})


def read_appliance(text: str, gathering: Gathering) -> None:
    """Take the channels of a JSON text. Raises ConfigError."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise gathering.fault(error.lineno, "", f"is not JSON: {error.msg}") from None
    for index, item in enumerate(document if isinstance(document, list) else [document]):
        place = f"[{index}]" if isinstance(document, list) else "entry"
        if isinstance(item, str):
            _take({"pv": item}, place, gathering)
        elif isinstance(item, dict):
            _take({key.lower(): value for key, value in item.items()}, place, gathering)
        else:
            raise gathering.fault(None, place, "must be an object with pvName or pv, or a name")


def _take(entry: Mapping[str, object], place: str, gathering: Gathering) -> None:
    name = entry.get("pvname", entry.get("pv"))
    if not isinstance(name, str):
        raise gathering.fault(None, place, "must have pvName or pv, a text")
    over_pva = name.startswith("pva://") or _is_true(entry.get("usepvaccess"))
    name = gathering.channel(None, place, name.removeprefix("pva://"), _settings(entry, place, gathering))
    if over_pva:
        gathering.remark("archived over PV Access there, over Channel Access here", name)
    for key, what in _UNMAPPED.items():
        value = entry.get(key)
        if value and not (isinstance(value, str) and value.strip().lower() in _NAMELESS):
            gathering.remark(what, name)


def _settings(entry: Mapping[str, object], place: str, gathering: Gathering) -> dict[str, object]:
    """MONITOR stores every update: its period sizes a buffer there, which is no limit that anybody wished for."""
    method = str(entry.get("samplingmethod") or "MONITOR").strip().upper()
    period = _period(entry.get("samplingperiod"), place, gathering)
    if method not in {"MONITOR", "SCAN", "DONT_ARCHIVE"}:
        raise gathering.fault(None, f"{place}.samplingMethod", f"{method[:60]}: must be MONITOR, SCAN or DONT_ARCHIVE")
    settings: dict[str, object] = {"mode": "scan", "rate": 1 / period} if method == "SCAN" else {"mode": "monitor"}
    if method == "DONT_ARCHIVE" or _is_true(entry.get("paused")):
        settings["enable"] = False
    return settings


def _period(value: object, place: str, gathering: Gathering) -> float:
    if value is None or value == "":
        return DEFAULT_PERIOD_S
    try:
        period = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        period = math.nan
    if not (math.isfinite(period) and period >= 1 / MAX_RATE):
        raise gathering.fault(None, f"{place}.samplingPeriod", f"{str(value)[:60]}: must be a number of seconds above 0")
    return period


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
