"""What a management request asks for: names, and how many."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson
from starlette.requests import Request

from archioc.retrieval.appliance.request import find_channel, names_in
from archioc.retrieval.bodies import body_of
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.faults import refusal
from archioc.retrieval.matching import matching_glob

MAX_GLOBS = 100
"""Globs in one request."""


async def names_asked(request: Request) -> list[str]:
    """Names and globs of the parameter `pv`, and of a body: a JSON array, a form with `pv`, or lines and commas. Raises HTTPException."""
    asked = names_in(request.query_params.getlist("pv"))
    body = await body_of(request) if request.method == "POST" else b""
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json") or body.lstrip()[:1] == b"[":
        return asked + _json_names(body)
    text = body.decode(errors="replace")
    if text.startswith("pv="):
        return asked + names_in(parse_qs(text).get("pv", []))
    return asked + names_in([text])


def expanded(asked: list[str], catalogue: Catalogue) -> dict[str, str | None]:
    """For each name that was asked for, in order, the channel that it means, None for an unknown one; globs become what they match.

    Nothing asked for means all archived channels. Raises HTTPException (400).
    """
    archived = sorted(catalogue.names().archived)
    if not asked:
        return dict(zip(archived, archived, strict=True))
    found: dict[str, str | None] = {}
    globs = 0
    for name in asked:
        if "*" in name or "?" in name:
            globs += 1
            if globs > MAX_GLOBS:
                raise refusal(400, f"at most {MAX_GLOBS} globs in a request")
            found |= {match: match for match in matching_glob(archived, name)}
        else:
            found[name] = find_channel(name, catalogue)
    return found


def limit_of(request: Request, default: int) -> int | None:
    """How many are wanted; None for all. Raises HTTPException (400)."""
    text = request.query_params.get("limit")
    if text is None:
        return default if default >= 0 else None
    try:
        limit = int(text[:20])
    except ValueError:
        raise refusal(400, f"limit={text[:40]}: a whole number, -1 for all") from None
    return limit if limit >= 0 else None


def name_asked(request: Request) -> str:
    """The one name of the parameter `pv`. Raises HTTPException (400)."""
    name = request.query_params.get("pv", "").strip()
    if not name:
        raise refusal(400, "pv is needed")
    return name


def _json_names(body: bytes) -> list[str]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(400, f"the body is no JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise refusal(400, "the body: an array of names")
    return found
