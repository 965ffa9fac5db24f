"""What is set, known and counted of one channel, a line each, for displays that show one."""

from __future__ import annotations

from archioc.opi.bob import Widget
from archioc.opi.widgets import Align, Place, choice, entry, readout, switch

Lines = tuple[tuple[str, Widget], ...]
"""Words and the widget beside them; `column` puts them into their places."""

_ANYWHERE = Place(0, 0, 1)


def settings(stem: str) -> Lines:
    """All that can be put. stem: what the names of the channel's PVs begin with."""
    return (
        ("Archive", switch(f"{stem}Enable", _ANYWHERE)),
        ("Mode", choice(f"{stem}Mode", _ANYWHERE)),
        ("At most", entry(f"{stem}Rate", _ANYWHERE)),
        ("Dead band", entry(f"{stem}Deadband", _ANYWHERE)),
        ("Dead band (%)", entry(f"{stem}DeadbandPct", _ANYWHERE)),
        ("At least every", entry(f"{stem}MaxInterval", _ANYWHERE)),
        ("Quota", entry(f"{stem}Quota", _ANYWHERE)),
        ("Event mask", choice(f"{stem}Mask", _ANYWHERE)),
        ("Clock", choice(f"{stem}Clock", _ANYWHERE)),
        ("Most elements", entry(f"{stem}MaxElements", _ANYWHERE)),
        ("Larger arrays", choice(f"{stem}LargeArrays", _ANYWHERE)),
        ("As text", switch(f"{stem}AsText", _ANYWHERE)),
        ("Group", entry(f"{stem}Group", _ANYWHERE, text=True)),
        ("Description", entry(f"{stem}Desc", _ANYWHERE, text=True)),
    )


def state(stem: str) -> Lines:
    """How it is now."""
    return (
        ("State", readout(f"{stem}State", _ANYWHERE)),
        ("Why", readout(f"{stem}Reason", _ANYWHERE, text=True)),
        ("Connected", readout(f"{stem}Connected", _ANYWHERE)),
        ("IOC", readout(f"{stem}Host", _ANYWHERE, text=True)),
        ("Value", readout(f"{stem}Value", _ANYWHERE)),
        ("Text", readout(f"{stem}Text", _ANYWHERE)),
        ("Unit", readout(f"{stem}Units", _ANYWHERE)),
        ("Severity", readout(f"{stem}Severity", _ANYWHERE)),
        ("IOC time", readout(f"{stem}Time", _ANYWHERE, align=Align.LEFT, style="Fine Print")),
        ("Age", readout(f"{stem}Age", _ANYWHERE)),
        ("Type", readout(f"{stem}Type", _ANYWHERE)),
        ("Elements", readout(f"{stem}Elements", _ANYWHERE)),
        ("Updates", readout(f"{stem}EventRate", _ANYWHERE)),
        ("Samples", readout(f"{stem}SampleRate", _ANYWHERE)),
    )


def counts(stem: str) -> Lines:
    """What has become of its updates, and what went wrong."""
    words = (("Bad time", "BadTime"), ("Disconnects", "Disconnects"))
    same = ("Received", "Generated", "Filtered", "Stored", "Pending", "Dropped", "Late")
    return tuple((text, readout(f"{stem}{name}", _ANYWHERE)) for text, name in (*((name, name) for name in same), *words))
