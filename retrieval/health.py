"""`/healthz` and `/readyz`: for whoever has to know whether to restart, to wait or to call somebody."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archioc.core.directories import Directories
from archioc.core.errors import QueryError, RunDirError, StoreDenied, StoreUnavailable
from archioc.core.table.archive_totals import ArchiveTotals, count_up
from archioc.core.table.table import ChannelTable, ProcessState, StoreState
from archioc.db.store import Reader
from archioc.retrieval.app_state import archive_of
from archioc.retrieval.archive import Archive
from archioc.retrieval.faults import RETRY_AFTER_S
from archioc.retrieval.shared_work import SharedWork

ANSWER_S = 4.0
"""How long may be taken to find out how the archiver does."""

SILENT_S = 5.0
"""A process whose heartbeat is older than this does not answer."""


class Readiness(StrEnum):
    """What the archiver is able to do. The first three are ready."""

    ARCHIVING = "archiving"
    SPOOLING = "spooling"
    """Collecting; the store does not take samples just now, the spool does."""
    SERVING = "serving"
    """`archioc serve`, and its store answers."""
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ENGINE_SILENT = "engine_silent"
    SPOOL_FAILING = "spool_failing"
    STORE_UNREACHABLE = "store_unreachable"
    """`archioc serve`, and its store does not answer."""


READY = frozenset({Readiness.ARCHIVING, Readiness.SPOOLING, Readiness.SERVING})


@dataclass(frozen=True, slots=True)
class Condition:
    """A state, why it is so (empty while all is well), and how the store answers (empty where that is not known)."""

    state: Readiness
    reason: str = ""
    store: str = ""


async def healthz(_request: Request) -> Response:
    """Alive: this process answers."""
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> Response:
    """200 while samples are collected and kept, or, without an archiver, while the store answers; else 503."""
    archive = archive_of(request)
    shared: SharedWork[Condition] = request.app.state.health
    try:
        # in a thread of its own: readers who keep the server busy do not make the archiver look unready
        async with asyncio.timeout(ANSWER_S):
            condition = await shared.result(lambda: _condition(archive))
    except TimeoutError:
        silent = Readiness.STORE_UNREACHABLE if archive.directories is None else Readiness.ENGINE_SILENT
        condition = Condition(silent, f"could not be found out within {ANSWER_S:g} s")
    body = {"ready": condition.state in READY, "state": condition.state, "reason": condition.reason, "store": condition.store}
    return JSONResponse(body, 200) if condition.state in READY else JSONResponse(body, 503, {"Retry-After": str(RETRY_AFTER_S)})


def _condition(archive: Archive) -> Condition:
    return condition_of_store(archive.reader) if archive.directories is None else condition_of(archive.directories)


def condition_of(directories: Directories) -> Condition:
    """The condition of the archiver of these directories."""
    table = ChannelTable(directories.run)
    try:
        table.open()
    except RunDirError as error:
        return Condition(Readiness.STOPPED, str(error))
    with closing(table):
        return judge(count_up(table), time.time_ns())


def condition_of_store(reader: Reader) -> Condition:
    """The condition where no archiver runs. Asks the store for a channel that there cannot be."""
    try:
        reader.meta("", 0)
    except (StoreUnavailable, StoreDenied, QueryError) as error:
        return Condition(Readiness.STORE_UNREACHABLE, str(error))
    return Condition(Readiness.SERVING, store=StoreState.OK.name.lower())


def judge(totals: ArchiveTotals, now_ns: int) -> Condition:
    """The condition of an archiver with these heads at a time (ns since 1970)."""
    engine, store = ProcessState(int(totals.status("state"))), StoreState(int(totals.delivery("store_state")))
    word = store.name.lower()
    silent_s = (now_ns - totals.status("heartbeat")) / 1e9
    if engine is ProcessState.STARTING or totals.status("heartbeat") == 0:
        return Condition(Readiness.STARTING, "the engine process starts", word)
    if engine is ProcessState.STOPPING:
        return Condition(Readiness.STOPPING, "the engine process stops", word)
    if engine is ProcessState.STOPPED:
        return Condition(Readiness.STOPPED, "the engine process does not run", word)
    if silent_s > SILENT_S:
        return Condition(Readiness.ENGINE_SILENT, f"the engine process has not answered for {silent_s:.0f} s", word)
    if totals.spool_error:
        return Condition(Readiness.SPOOL_FAILING, totals.spool_error, word)
    db_silent_s = (now_ns - totals.delivery("heartbeat")) / 1e9
    if db_silent_s > SILENT_S:
        return Condition(Readiness.SPOOLING, "the db process does not answer", word)
    if store is not StoreState.OK:
        return Condition(Readiness.SPOOLING, totals.store_error or f"the store is {word}", word)
    return Condition(Readiness.ARCHIVING, store=word)


HEALTH_ROUTES = [Route("/healthz", healthz), Route("/readyz", readyz)]
