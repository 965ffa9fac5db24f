"""What a management request asks for: names, and how many."""

from __future__ import annotations

from starlette.requests import Request

from archioc.retrieval.appliance.request import find_channel, whole_limit
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.faults import refusal
from archioc.retrieval.matching import matching_glob
from archioc.retrieval.query_pool.budget import Budget

MAX_NAMES = 100_000
"""Names and globs in one request."""

MAX_GLOBS = 100
"""Globs in one request."""


def expanded(asked: list[str], catalogue: Catalogue, budget: Budget) -> dict[str, str | None]:
    """For each name that was asked for, in order, the channel that it means, None for an unknown one; globs become what they match.

    Nothing asked for means all archived channels. Raises HTTPException (400), QueryError.
    """
    archived = sorted(catalogue.names().archived)
    if not asked:
        return dict(zip(archived, archived, strict=True))
    found: dict[str, str | None] = {}
    globs = 0
    for name in budget.watch(asked):
        if "*" in name or "?" in name:
            globs += 1
            if globs > MAX_GLOBS:
                raise refusal(400, f"at most {MAX_GLOBS} globs in a request")
            found |= {match: match for match in matching_glob(budget.watch(archived), name)}
        else:
            found[name] = find_channel(name, catalogue)
    return found


def limit_of(request: Request, default: int) -> int | None:
    """How many are wanted; None for all. Raises HTTPException (400)."""
    limit = whole_limit(request.query_params.get("limit", str(default)))
    return limit if limit >= 0 else None


def name_asked(request: Request) -> str:
    """The one name of the parameter `pv`. Raises HTTPException (400)."""
    name = request.query_params.get("pv", "").strip()
    if not name:
        raise refusal(400, "pv is needed")
    return name
