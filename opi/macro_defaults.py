"""What macros of displays and plots are worth where who opens them gives no value."""

from __future__ import annotations

from xml.etree.ElementTree import Element

DEFAULTS = {"P": "ARCH:"}


def write_defaults(root: Element) -> None:
    """Write them into each use of the macro, `$(P=ARCH:)`.

    Not into `macros` of the display: what a display says there goes before what its opener says (Phoebus, "Macros").
    """
    for element in root.iter():
        for name, value in DEFAULTS.items():
            element.text = (element.text or "").replace(f"$({name})", f"$({name}={value})")
