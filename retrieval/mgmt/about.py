"""What the management calls tell about the archiver itself."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archioc import __version__

IDENTITY = "archioc"
"""The name of the one appliance that there is."""

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


async def get_appliance_info(request: Request) -> Response:
    """Addresses, made of the one that the client has used, and the version."""
    return JSONResponse({**_appliance(request), "version": f"Archiver Appliance Version ArchIOC {__version__}"})


async def get_appliances_in_cluster(request: Request) -> Response:
    """The one appliance."""
    return JSONResponse([_appliance(request)])


async def get_versions(_request: Request) -> Response:
    """The version of each part; they are one program."""
    version = f"Archiver Appliance Version ArchIOC {__version__}"
    return JSONResponse({f"{part}_version": version for part in ("mgmt", "engine", "etl", "retrieval")})


async def get_policy_list(_request: Request) -> Response:
    """None: policies are in the configuration file."""
    return JSONResponse({})


async def get_all_aliases(_request: Request) -> Response:
    """None: an earlier name of a renamed channel finds it, but is not a second one."""
    return JSONResponse([])


def _appliance(request: Request) -> dict[str, str]:
    host, port = request.scope["server"]
    told = request.headers.get("host", "")
    address = f"{request.scope['scheme']}://{told if _HOST.fullmatch(told) else f'{host}:{port}'}"
    return {
        "identity": IDENTITY,
        "mgmtURL": f"{address}/mgmt/bpl",
        "engineURL": f"{address}/mgmt/bpl",
        "etlURL": f"{address}/mgmt/bpl",
        "retrievalURL": f"{address}/retrieval/bpl",
        "dataRetrievalURL": f"{address}/retrieval",
        "clusterInetPort": "",
    }


ABOUT_ROUTES = [
    Route("/mgmt/bpl/getApplianceInfo", get_appliance_info),
    Route("/mgmt/bpl/getAppliancesInCluster", get_appliances_in_cluster),
    Route("/mgmt/bpl/getVersions", get_versions),
    Route("/mgmt/bpl/getPolicyList", get_policy_list),
    Route("/mgmt/bpl/getAllAliases", get_all_aliases),
]
