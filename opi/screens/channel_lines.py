"""What is set, known and counted of one channel, a line each, for displays that show one."""

from __future__ import annotations

from archioc.opi.bob import Widget
from archioc.opi.widgets import Align, Place, choice, entry, lamp, readout, switch, words

Lines = tuple[tuple[str, Widget], ...]
"""Words and the widget beside them; `column` puts them into their places."""

STATES = (
    ("Connecting", "State Warning"),
    ("Archiving", "State Good"),
    ("Disabled", "State Idle"),
    ("Group off", "State Idle"),
    ("Disconnected", "State Bad"),
    ("Rejected", "State Bad"),
    ("Removed", "State Idle"),
)
"""Of a channel; in a slot the last one is Empty, and the slot is not there then."""

_ANYWHERE = Place(0, 0, 1)


def settings(stem: str) -> Lines:
    """All that can be put. stem: what the names of the channel's PVs begin with."""
    return (
        ("Archive", switch(f"{stem}Enable", _ANYWHERE)),
        ("Mode", choice(f"{stem}Mode", _ANYWHERE)),
        ("At most", _words(f"{stem}Rate", "A rate such as 10 Hz, or no limit")),
        ("Dead band", _words(f"{stem}Deadband", "In the unit of the channel, or none")),
        ("Dead band %", _words(f"{stem}DeadbandPct", "In part of the last archived value, or none")),
        ("At least", _words(f"{stem}MaxInterval", "A value that stays is written again this often: seconds, or never")),
        ("Quota", _words(f"{stem}Quota", "Samples/s on average over 10 s, or no limit")),
        ("Event mask", choice(f"{stem}Mask", _ANYWHERE)),
        ("Clock", choice(f"{stem}Clock", _ANYWHERE)),
        ("Max length", _words(f"{stem}MaxElements", "Longer arrays are treated as If larger says; or no limit")),
        ("If larger", choice(f"{stem}LargeArrays", _ANYWHERE)),
        ("As text", switch(f"{stem}AsText", _ANYWHERE)),
        ("Group", entry(f"{stem}Group", _ANYWHERE, text=True)),
        ("Description", entry(f"{stem}Desc", _ANYWHERE, text=True)),
    )


def state(stem: str, *, narrow: bool = False) -> Lines:
    """How it is now. narrow: times are short."""
    time = words(f"{stem}Time", _ANYWHERE) if narrow else readout(f"{stem}Time", _ANYWHERE, align=Align.LEFT, style="Fine Print")
    return (
        ("State", lamp(f"{stem}State", _ANYWHERE, STATES)),
        ("Why", readout(f"{stem}Reason", _ANYWHERE, text=True)),
        ("Connected", readout(f"{stem}Connected", _ANYWHERE)),
        ("IOC", readout(f"{stem}Host", _ANYWHERE, text=True, style="Fine Print")),
        ("Value", words(f"{stem}Value", _ANYWHERE)),
        ("Text", readout(f"{stem}Text", _ANYWHERE)),
        ("Unit", readout(f"{stem}Units", _ANYWHERE)),
        ("Severity", readout(f"{stem}Severity", _ANYWHERE)),
        ("IOC time", time),
        ("Age", words(f"{stem}Age", _ANYWHERE)),
        ("Type", readout(f"{stem}Type", _ANYWHERE)),
        ("Elements", words(f"{stem}Elements", _ANYWHERE)),
        ("Updates", words(f"{stem}EventRate", _ANYWHERE)),
        ("Samples", words(f"{stem}SampleRate", _ANYWHERE)),
    )


def counts(stem: str) -> Lines:
    """What has become of its updates, and what went wrong."""
    same = ("Received", "Generated", "Filtered", "Stored", "Pending", "Dropped", "Late")
    named = (*((name, name) for name in same), ("Bad time", "BadTime"), ("Disconnects", "Disconnects"))
    return tuple((text, words(f"{stem}{name}", _ANYWHERE)) for text, name in named)


def _words(pv: str, tip: str) -> Widget:
    return entry(f"{pv}.TXT", _ANYWHERE, units=False, tip=tip)
