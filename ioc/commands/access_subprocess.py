"""Reads who may write from a configuration file in a process of its own: `python -m archioc.ioc.commands.access_subprocess CONFIG`.

The parser passes over 100 000 channels in about a second, which the control process must not stand still for.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from archioc.core.config.access import Access
from archioc.core.config.file import load_blocks
from archioc.core.errors import CommandRefused, ConfigError
from archioc.core.machine.python_module import python_module
from archioc.core.process import stop_with_parent
from archioc.ioc.results import ResultCode

READ_S = 60.0
"""Longest time that reading a file may take."""


async def read_access(path: Path) -> Access:
    """The block `access` of a file. Raises CommandRefused: the file's fault, with file, line and key."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *python_module("archioc.ioc.commands.access_subprocess", str(path)), stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(READ_S):
            content, words = await process.communicate()
    except TimeoutError:
        raise CommandRefused(ResultCode.NO_ANSWER, f"{path} was not read within {READ_S:.0f} s; nothing was changed") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = words.decode(errors="replace").strip() or f"{path} could not be read"
        raise CommandRefused(ResultCode.BAD_FILE, f"{reason}; nothing was changed")
    return Access.model_validate_json(content)


def main() -> int:
    """Exit code 0, or 2 with the fault on standard error."""
    stop_with_parent(0)
    try:
        access = load_blocks(Path(sys.argv[1])).access
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(access.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
