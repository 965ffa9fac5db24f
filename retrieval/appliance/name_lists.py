"""Lists of names in a request: parameters, lines, forms and JSON arrays.

All of it costs time in proportion to the length of the request, and the number of names is limited before they are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request

from archioc.retrieval.bodies import body_of
from archioc.retrieval.faults import refusal

PIECES_PER_NAME = 10
"""Commas and line ends for each name that is allowed: arguments of operators stand between commas too, and lines may be empty."""

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class NameList:
    """Names as they came: values of the parameter `pv`, and a body with its media type. `names` reads them, which belongs into a thread."""

    parts: Sequence[str]
    body: bytes = b""
    media_type: str = ""

    def names(self, most: int) -> list[str]:
        """The names, those of the parameter first. most: how many a request may have. Raises HTTPException (400)."""
        found = names_in(self.parts, most)
        if self.body:
            found += self._of_body(most)
        if len(found) > most:
            raise _too_many(f"{len(found)} names", most)
        return found

    def _of_body(self, most: int) -> list[str]:
        if self.media_type == JSON or self.body.lstrip()[:1] == b"[":
            return _names_of_json(self.body, most)
        text = self.body.decode(errors="replace")
        if text.startswith("pv=") or (self.media_type == FORM and "&pv=" in text):
            try:
                return names_in(parse_qs(text, max_num_fields=most).get("pv", []), most)
            except ValueError:
                raise _too_many("more fields in the body", most) from None
        return names_in([text], most)


async def name_list_of(request: Request) -> NameList:
    """What a request carries, not read yet. Raises HTTPException (413)."""
    body = await body_of(request) if request.method == "POST" else b""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return NameList(request.query_params.getlist("pv"), body, media_type)


def names_in(parts: Sequence[str], most: int) -> list[str]:
    """Names out of lists with commas and lines; a comma in parentheses belongs to the name. Raises HTTPException (400)."""
    pieces = len(parts) + sum(part.count(",") + part.count("\n") for part in parts)
    if pieces > most * PIECES_PER_NAME:
        raise _too_many(f"{pieces} commas and lines", most)
    names = (name.strip() for part in parts for line in part.split("\n") for name in _split(line))
    return [name for name in names if name]


def _split(line: str) -> Iterator[str]:
    """At the commas that stand outside of parentheses."""
    pieces = line.split(",")
    if "(" not in line:
        yield from pieces
        return
    name: list[str] = []
    opened = 0
    for piece in pieces:
        name.append(piece)
        opened += piece.count("(") - piece.count(")")
        if opened <= 0:
            yield ",".join(name)
            name.clear()
            opened = 0
    yield ",".join(name)


def _names_of_json(body: bytes, most: int) -> list[str]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise refusal(400, "the body must be a JSON array of names")
    if len(found) > most:
        raise _too_many(f"{len(found)} names", most)
    return found


def _too_many(what: str, most: int) -> Exception:
    return refusal(400, f"{what}: a request has at most {most} names; send several requests")
