from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing_tool(tool: str, how_to_get: str) -> NoReturn:
    """Skip this test for want of a tool; fail it when ARCHIOC_REQUIRE (a comma separated list) names the tool."""
    message = f"no {tool} here: {how_to_get}"
    if tool in os.environ.get("ARCHIOC_REQUIRE", "").split(","):
        pytest.fail(f"{message} (ARCHIOC_REQUIRE demands it)", pytrace=False)
    pytest.skip(message)
