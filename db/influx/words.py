"""Words of a server as people may see them: secrets removed, what cannot be printed escaped, cut to a length.

A server, or a proxy before it, may repeat what it was sent. Its words go to the log, PVs, HTTP and the quarantine.
"""

from __future__ import annotations

import base64
import re
import urllib.request
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

import orjson

from archioc.core.config.store import InfluxStore
from archioc.core.errors import ConfigError

MAX_WORDS = 500
"""Letters of a server's words that are kept; InfluxDB 1.x repeats every bad line."""

_END = 150
"""So many of these are the last ones, which tell the cause, or how many lines are concerned."""

_LOOKED_AT = 65_536
"""Letters of long words that are looked at, at either end."""

HIDDEN = "***"

_SHORT = 8
"""A secret of fewer letters may be part of a word; it is removed where it stands by itself."""


class ServerWords:
    """Makes words of one server fit to be shown. Thread-safe."""

    def __init__(self, settings: InfluxStore) -> None:
        self._settings = settings
        self._pattern: tuple[tuple[str, ...], re.Pattern[str] | None] = ((), None)
        self._longest = 0

    def shown(self, words: bytes | str, limit: int = MAX_WORDS) -> str:
        """The words, at most `limit` letters of them, beginning and end."""
        text = words.decode(errors="replace") if isinstance(words, bytes) else words
        if len(text) > 2 * _LOOKED_AT:
            # Where it is cut half a secret may be left.
            begin, end = (self._without_secrets(part) for part in (text[:_LOOKED_AT], text[-_LOOKED_AT:]))
            text = f"{begin[: -self._longest or None]} ... {end[self._longest :]}"
        text = printable(" ".join(self._without_secrets(text).split()))
        return text if len(text) <= limit else f"{text[: limit - _END]} ... {text[-_END + 5 :]}"

    def _without_secrets(self, text: str) -> str:
        secrets = tuple(dict.fromkeys(secrets_of(self._settings)))
        known, pattern = self._pattern
        if known != secrets:
            # A secret that was replaced a moment ago may still be in an answer.
            forms = {form for secret in (*secrets, *known) for form in _forms(secret)}
            pattern = _pattern_of(forms)
            self._longest = max(map(len, forms), default=0)
            self._pattern = (secrets, pattern)
        if pattern is None:
            return text
        return pattern.sub(HIDDEN, text)


def printable(text: str) -> str:
    """The text with escapes in place of what cannot be printed."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def secrets_of(settings: InfluxStore) -> Iterator[str]:
    """What must not be shown: token, password, and the user's password at the proxy; none from a file that cannot be read."""
    for read, before in ((settings.secret_token, ""), (settings.secret_password, f"{settings.username}:")):
        try:
            secret = read()
        except ConfigError:
            continue
        if secret:
            yield from dict.fromkeys((secret, before + secret))
    proxy = urlsplit(urllib.request.getproxies().get(urlsplit(settings.url).scheme, ""))
    if proxy.password:
        yield unquote(proxy.password)
        yield f"{unquote(proxy.username or '')}:{unquote(proxy.password)}"


def _pattern_of(forms: Iterable[str]) -> re.Pattern[str] | None:
    """Matches each of these, the longest first."""
    longest_first = sorted(filter(None, forms), key=len, reverse=True)
    found = [rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORT else re.escape(form) for form in longest_first]
    return re.compile("|".join(found)) if found else None


def _forms(secret: str) -> Iterator[str]:
    """The secret as it may be repeated: as it is, in a URL, in JSON, in HTML, in a Python or Go literal, in hex and base64."""
    raw = secret.encode()
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper())
    yield from (orjson.dumps(secret).decode()[1:-1], ascii(secret)[1:-1], repr(secret)[1:-1], raw.decode("latin-1"))
    yield secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#39;")
    yield secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#x27;")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode()
        yield encode(raw).decode().rstrip("=")
        for before in range(3) if len(raw) >= _SHORT else ():
            # Within the base64 of a longer text: only letters that the secret alone decides.
            text = encode(b"\0" * before + raw).decode()
            yield text[-(-8 * before // 6) : (before + len(raw)) * 8 // 6]
