"""The contract of the HTTP server names what it serves, no more and no less."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import yaml
from starlette.routing import Route

from archioc.core.config.file import parse_config
from archioc.retrieval.app import make_app
from archioc.retrieval.archive import Archive
from archioc.retrieval.catalogue import Catalogue
from archioc.retrieval.mgmt.routes import INSTEAD
from archioc.retrieval.query_pool.queries import Queries

CONTRACT = Path("docs/reference/contract/openapi.yaml")


def served(tmp_path: Path) -> set[tuple[str, str]]:
    async def make() -> list[Route]:
        reader: Any = None  # nothing is asked
        app = make_app(Archive(parse_config("", tmp_path / "config.yml"), reader, Catalogue(reader, None), None), Queries(1.0))
        return [route for route in app.routes if isinstance(route, Route)]

    routes = asyncio.run(make())
    return {(re.sub(r":\w+}", "}", route.path), method) for route in routes for method in (route.methods or set()) - {"HEAD"}}


def test_routes_are_those_of_the_contract(tmp_path: Path) -> None:
    """Every path and method of the server is in the contract, and every one of the contract is served."""
    told = yaml.safe_load(CONTRACT.read_text())["paths"]
    found = {(path, method.upper()) for path, methods in told.items() for method in methods if method != "parameters"}
    changes = told["/mgmt/bpl/{change}"]["parameters"][0]["schema"]["enum"]
    assert set(changes) == set(INSTEAD)
    refused = {(f"/mgmt/bpl/{call}", method) for call in changes for method in ("GET", "POST")}
    ours = {one for one in found if "{change}" not in one[0]} | refused
    assert {(re.sub(r"{\w+}", "{}", path), method) for path, method in ours} == {
        (re.sub(r"{\w+}", "{}", path), method) for path, method in served(tmp_path)
    }
