"""Fields that name the states of an enum PV and their severities, as records of type bi, bo, mbbi and mbbo have them."""

from __future__ import annotations

from archioc.core.dbr import Dbr
from archioc.ioc.ca.alarm_limits import SEVERITIES
from archioc.ioc.ca.pv import PvSpec, Value

_NUMBERS = ("ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF")
"""What the fields of the states 0 to 15 of an mbbi record begin with."""

_LABEL = PvSpec(Dbr.STRING, "Label of a state")
_NUMBER = PvSpec(Dbr.LONG, "Number of a state")
_SEVERITY = PvSpec(Dbr.ENUM, "Severity of a state", labels=SEVERITIES)

_LABELS = {"ZNAM": 0, "ONAM": 1} | {f"{start}ST": index for index, start in enumerate(_NUMBERS)}
_VALUES = {f"{start}VL": index for index, start in enumerate(_NUMBERS)}
_SEVERITIES = {"ZSV": 0, "OSV": 1} | {f"{start}SV": index for index, start in enumerate(_NUMBERS)}
_OTHER_SEVERITIES = ("UNSV", "COSV")
"""Of a value without a state, and of each change: our PVs have neither."""

STATE_FIELDS: dict[str, PvSpec] = {
    **dict.fromkeys(_LABELS, _LABEL),
    **dict.fromkeys(_VALUES, _NUMBER),
    **dict.fromkeys((*_SEVERITIES, *_OTHER_SEVERITIES), _SEVERITY),
}


def state_value(spec: PvSpec, field: str) -> Value:
    """What a field says of a PV; empty or 0 for a state that it does not have."""
    if field in _LABELS:
        return spec.labels[_LABELS[field]] if _LABELS[field] < len(spec.labels) else ""
    if field in _VALUES:
        return _VALUES[field] if _VALUES[field] < len(spec.labels) else 0
    index = _SEVERITIES.get(field, len(spec.severities))
    return int(spec.severities[index]) if index < len(spec.severities) else 0
