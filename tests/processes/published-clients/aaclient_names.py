"""aaclient: finds an archive as it is told in its configuration, by `getApplianceInfo`, and searches for names."""

import asyncio
import json
import sys

from aaclient.appl import getArchive
from aaclient.conf import loadConfig


async def search(host, port, patterns):
    conf = loadConfig(paths=())
    conf["host"], conf["port"] = host, port
    archive = await getArchive(conf)
    try:
        return {pattern: sorted(await archive.search(pattern)) for pattern in patterns}
    finally:
        await archive.close()


host, port, *patterns = sys.argv[1:]
json.dump(asyncio.run(search(host, port, patterns)), sys.stdout)
