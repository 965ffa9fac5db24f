"""The files of the page. The plotting script is that of plotly's wheel, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from archioc.retrieval.faults import refusal, shown

HERE = Path(__file__).parent

FILES = ("page.css", "page.js", "asking.js", "finding.js", "events.js", "plotting.js", "spans.js")

SECURITY = {
    # Styles within the document are those that the plotting script makes; scripts come from here only.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def get_page(_request: Request) -> Response:
    """The page itself."""
    return FileResponse(HERE / "index.html", headers=SECURITY)


async def get_file(request: Request) -> Response:
    """A part of the page."""
    name = request.path_params["name"]
    if name not in FILES:
        raise refusal(404, f"{shown(name)}: no such file of the page")
    return FileResponse(HERE / name, headers=SECURITY)


async def get_plotting_script(_request: Request) -> Response:
    """The plotting script; 404 where plotly is not installed."""
    script = plotting_script()
    if script is None:
        raise refusal(404, "no plotting script here: pip install 'archioc[page]'")
    return FileResponse(script, headers=SECURITY | {"Cache-Control": "max-age=86400"})


def plotting_script() -> Path | None:
    """Where it is; plotly itself is not loaded."""
    found = find_spec("plotly")
    if found is None or found.origin is None:
        return None
    script = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return script if script.is_file() else None


PAGE_ROUTES = [
    Route("/", get_page),
    Route("/page/plotly.min.js", get_plotting_script),
    Route("/page/{name}", get_file),
]
