"""Links that open a display with its macros, for the alarm tree and other programs beside the displays.

The alarm UI of Phoebus expands macros in a link, makes a URI of it, and opens the display that the URI names (`OpenDisplayAction`). A text
without a scheme is a file name to it, whose `?` belongs to the name. Phoebus splits the query of the URI at each `&` and decodes names and
values after that, with `+` for a blank (`ResourceParser`).
"""

from __future__ import annotations

import re
from urllib.parse import quote

DEFAULT_DISPLAYS = "file:$(ARCHIOC)"
"""ARCHIOC is a macro of the alarm UI: `org.phoebus.applications.alarm/macros=ARCHIOC=/site/displays/archioc`."""

_BASE = re.compile(r"(file:(/|\$\()|https?://)[^\s?#]*")


def displays_base(url: str) -> str:
    """A URL of the directory of the displays, without a closing slash. Raises ValueError with the rule."""
    if not _BASE.fullmatch(url):
        raise ValueError("must begin with file:/, file:$(MACRO), http:// or https:// and have no blank, ? or # (%20 stands for a blank)")
    return url.rstrip("/")


def link(displays: str, file: str, **macros: str) -> str:
    """A link to a display. displays: as `displays_base` gives it. macros: their values may hold any character."""
    query = "&".join(f"{name}={quote(value, safe=':')}" for name, value in macros.items())
    return f"{displays}/{file}?{query}"
