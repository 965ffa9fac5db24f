"""`python -m tests.processes.stock_server_program PREFIX`: caproto's own asyncio server, as it is, with PVs that look like ours.

Says `port N` when it serves; then reads lines: `show VALUE` gives it to the PVs `CH:A:Value` and `CH:B:Value`, `remove` takes
the first of them away.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import weakref
from collections.abc import Iterator, MutableMapping
from typing import Any

from caproto import ChannelDouble
from caproto.asyncio.server import Context


class NumberPv(ChannelDouble):  # type: ignore[misc]  # caproto ships no types
    """With the one field that caproto gives a PV without a record."""

    def get_field(self, field: str) -> NumberPv:
        if field == "VAL":
            return self
        raise KeyError(field)


class LazyPvs(MutableMapping[str, Any]):
    """PVs of these names; one that is not kept is made when it is asked for and gone when nobody holds it."""

    def __init__(self, prefix: str) -> None:
        self._start = f"{prefix}CH:"
        self.kept = {f"{self._start}{name}:Value": NumberPv(value=0.0) for name in ("A", "B")}
        self._held: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def __getitem__(self, name: str) -> Any:
        if name in self.kept:
            return self.kept[name]
        if not name.startswith(self._start) or name.rpartition(":")[2] not in {"Rate", "Deadband", "Quota", "MaxInterval"}:
            raise KeyError(name)
        found = self._held.get(name)
        if found is None:
            found = self._held[name] = NumberPv(value=0.0)
        return found

    def __setitem__(self, name: str, pv: Any) -> None:
        self._held[name] = pv

    def __delitem__(self, name: str) -> None:
        del self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)


async def main() -> None:
    """Serve until standard input ends."""
    prefix = sys.argv[1]
    pvs = LazyPvs(prefix)
    context = Context(pvs, ["127.0.0.1"])

    async def obey(_: object) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(f"port {context.port}", flush=True)
        while words := (await reader.readline()).split():
            if words[0] == b"remove":
                del pvs[f"{prefix}CH:A:Value"]
            else:
                for pv in pvs.kept.values():
                    await pv.write(float(words[1]))
        raise SystemExit

    await context.run(startup_hook=obey)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
