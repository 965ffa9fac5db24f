"""Reads a configuration file, or files to be imported, in a process of its own.

`python -m archioc.ioc.commands.config_subprocess config FILE`, or `... import FORMAT FILE [FORMAT FILE ...]`

Parsing 100 000 channels keeps an interpreter busy for seconds and fills hundreds of megabytes; the control process must do
neither. A line of JSON for each remark, policy, group and channel goes to standard output, at last one with fingerprint and shard.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from archioc.core.channel import Given
from archioc.core.config.declared_channels import Declaration, DeclaredChannel
from archioc.core.config.file import load_declaration
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy
from archioc.core.errors import CommandRefused, ConfigError
from archioc.core.machine.python_module import python_module
from archioc.core.process import stop_with_parent
from archioc.core.shard import Shard
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Imported
from archioc.importing.read_files import read_files
from archioc.ioc.results import ResultCode

READ_S = 120.0
"""Longest time that reading a file may take."""

LINE_BYTES = 2**24
SLICE_LINES = 500


async def read_declaration(path: Path) -> Declaration:
    """What a file declares, read by another process. Raises CommandRefused: the file's fault, with file, line and key."""
    return (await _read_apart(["config", str(path)], str(path))).declaration


async def read_imported(files: Sequence[tuple[Path, ImportFormat]]) -> Imported:
    """What files to be imported declare, read by another process. Raises CommandRefused: a file's fault, with its place."""
    arguments = [word for path, form in files for word in (form.value, str(path))]
    return await _read_apart(["import", *arguments], ", ".join(str(path) for path, _ in files))


async def _read_apart(arguments: Sequence[str], what: str) -> Imported:
    process = await asyncio.create_subprocess_exec(
        *python_module("archioc.ioc.commands.config_subprocess", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        async with asyncio.timeout(READ_S):
            imported, words = await asyncio.gather(_collect(process), _words(process))
            code = await process.wait()
    except TimeoutError:
        raise CommandRefused(ResultCode.NO_ANSWER, f"{what}: not read within {READ_S:.0f} s; nothing was changed") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0 or imported is None:
        raise CommandRefused(ResultCode.BAD_FILE, f"{words or f'{what}: cannot be read'}; nothing was changed")
    return imported


async def _words(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode(errors="replace").strip()


async def _collect(process: asyncio.subprocess.Process) -> Imported | None:
    """What the output tells, None when it ends before its last line."""
    assert process.stdout is not None
    policies: list[DeclaredPolicy] = []
    groups: list[DeclaredGroup] = []
    channels: list[DeclaredChannel] = []
    remarks: list[str] = []
    owns: dict[Given, Given] = {}
    count = 0
    async for line in process.stdout:
        count += 1
        if count % SLICE_LINES == 0:
            await asyncio.sleep(0)
        kind, *rest = orjson.loads(line)
        match kind:
            case "channel":
                name, group, given = rest
                own = _given(given)
                channels.append(DeclaredChannel(name, group, owns.setdefault(own, own)))
            case "group":
                name, enable, condition, description, given = rest
                groups.append(DeclaredGroup(name, enable, condition, description, _given(given)))
            case "policy":
                policies.append(DeclaredPolicy(rest[0], _given(rest[1])))
            case "remark":
                remarks.append(rest[0])
            case _:
                fingerprint, shard = rest
                return Imported(Declaration(tuple(policies), tuple(groups), tuple(channels), fingerprint, Shard(*shard)), tuple(remarks))
    return None


def _given(pairs: list[Any]) -> Given:
    return tuple((name, value) for name, value in pairs)


def _lines(imported: Imported) -> Iterator[object]:
    declaration = imported.declaration
    for remark in imported.remarks:
        yield "remark", remark
    for policy in declaration.policies:
        yield "policy", policy.match, policy.given
    for group in declaration.groups:
        yield "group", group.name, group.enable, group.condition, group.description, group.given
    for channel in declaration.channels:
        yield "channel", channel.name, channel.group, channel.given
    shard = declaration.shard
    yield "end", declaration.fingerprint, (shard.index, shard.count, shard.handover_s, shard.prefix)


def _read(what: str, *words: str) -> Imported:
    """Raises ConfigError."""
    if what == "config":
        return Imported(load_declaration(Path(words[0])))
    return read_files((Path(path), ImportFormat(form)) for form, path in zip(words[::2], words[1::2], strict=True))


def main() -> int:
    """Exit code 0, or 2 with the fault on standard error."""
    stop_with_parent(0)
    try:
        imported = _read(*sys.argv[1:])
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in _lines(imported):
        sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
