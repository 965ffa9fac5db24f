"""Answers in JSON that are found and written in a thread: the list of all channels takes a while to write, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from archioc.retrieval.app_state import queries_of
from archioc.retrieval.query_pool.budget import Budget


async def answer_json(request: Request, find: Callable[[Budget], object], headers: Mapping[str, str] | None = None) -> Response:
    """What `find` returns, as JSON. Raises Busy, and what `find` raises."""
    body = await queries_of(request).run(lambda budget: orjson.dumps(find(budget), option=orjson.OPT_SERIALIZE_NUMPY))
    return Response(body, media_type="application/json", headers=headers)
