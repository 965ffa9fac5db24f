"""What Phoebus' alarm UI makes of a link: macros, then a URI, then a file and the macros of its display.

Rules: `OpenDisplayAction`, `ResourceParser`, `MacroHandler` and `DisplayInfo.forURI` of Phoebus 4.7 to 5.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

_MACRO = re.compile(r"\$[({]([^(){}]+)[)}]")
_ILLEGAL = re.compile(r"[\s\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")
"""What `java.net.URI.create` throws at, of what texts hold."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A display that opens. place: path of a file, or the URL of a page. macros: what the display is given."""

    place: str
    macros: Mapping[str, str]


class OpensNothing(Exception):
    """The link opens no display; Phoebus then takes it for an external command."""


def opened(link: str, macros: Mapping[str, str]) -> Opened:
    """What a link of an alarm tree opens. macros: of the alarm UI's settings. Raises OpensNothing."""
    expanded = _MACRO.sub(lambda found: macros.get(found[1], found[0]), link)
    if _MACRO.search(expanded):
        raise OpensNothing(f"{expanded}: has a macro without a value")
    scheme, colon, rest = expanded.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or _ILLEGAL.search(expanded):
        raise OpensNothing(f"{expanded}: is no URI with a scheme, so the whole text is the name of a file")
    if not rest.startswith("/"):
        raise OpensNothing(f"{expanded}: a URI without a slash after its scheme has no path")
    whole, _, fragment = rest.partition("#")
    if fragment:
        raise OpensNothing(f"{expanded}: the text after # is no part of the query")
    path, _, query = whole.partition("?")
    given = dict(item.partition("=")[::2] for item in query.split("&") if item)
    return Opened(
        unquote(path) if scheme == "file" else f"{scheme}:{path}", {unquote_plus(key): unquote_plus(value) for key, value in given.items()}
    )
