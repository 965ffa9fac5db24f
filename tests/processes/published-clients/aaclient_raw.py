"""aaclient: samples as numpy arrays. Where its data URL is, is told here; else it asks the management part of an appliance."""

import asyncio
import sys
from datetime import datetime

from aaclient.appl import Appl
from aaclient.conf import loadConfig
from answer import tell


async def read(host, port, start, end, names):
    archive = Appl(loadConfig(paths=()))
    archive._info = {"retrievalURL": f"http://{host}:{port}/retrieval/bpl"}
    found = {}
    try:
        for name in names:
            found[name] = []
            async for values, metas in archive.raw_iter(name, T0=datetime.fromisoformat(start), Tend=datetime.fromisoformat(end)):
                for value, meta in zip(values, metas):
                    time_ns = int(meta["sec"]) * 10**9 + int(meta["ns"])
                    found[name].append((time_ns, value, int(meta["severity"]), int(meta["status"])))
    finally:
        await archive.close()
    return found


host, port, start, end, *names = sys.argv[1:]
tell(asyncio.run(read(host, port, start, end, names)))
