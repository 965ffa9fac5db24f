"""What puts to the command PVs do, whether they are those of the archiver or those of a view."""

from __future__ import annotations

from functools import partial

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, Writer
from archioc.ioc.commands.applying import Apply
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.results import ResultCode

TEXT_BYTES = 16_000
LIST_ELEMENTS = 1000


class CommandPuts:
    """Carries out puts to command PVs. Each is audited under the archiver's own PV, also where it came through a view.

    A put of an empty text does nothing, because displays send one when an operator leaves an empty field.
    """

    def __init__(self, prefix: str, commands: Commands) -> None:
        self._prefix, self._commands = prefix, commands
        self._carry_out = {
            "Add": commands.add,
            "AddList": commands.add,
            "Remove": commands.remove,
            "RemoveList": commands.remove,
            "Set": commands.set,
            "Rename": commands.rename,
            "ImportFile": commands.import_files,
        }

    def writer(self, name: str) -> Writer | None:
        """What a put to the command of this name does; None for what is no command."""
        if name in self._carry_out:
            return partial(self._command, name)
        return {"Flush": self._flush, "Apply": self._apply}.get(name)

    async def _command(self, name: str, pv: PV, value: PutValue, peer: Peer) -> None:
        text = await self._readable(name, pv, value, peer)
        if text.strip():
            await self._carry_out[name](f"{self._prefix}{name}", text, peer)
        await pv.notify_unchanged()

    async def _readable(self, name: str, pv: PV, value: PutValue, peer: Peer) -> str:
        try:
            return value.text(TEXT_BYTES if pv.spec.dbr is Dbr.CHAR else LIST_ELEMENTS * 40)
        except CommandRefused as error:
            raise await self._refuse(name, value, error, peer) from None

    async def _apply(self, pv: PV, value: PutValue, peer: Peer) -> None:
        word = str(value).strip()
        if word in {str(int(how)) for how in Apply}:
            await self._commands.apply(f"{self._prefix}Apply", Apply(int(word)), peer)
        elif word != "0":
            rule = "must be 1 (apply), 2 (dry run), 3 (apply and prune) or 4 (dry run of 3); nothing was done"
            raise await self._unknown_word("Apply", value, rule, peer)
        await pv.notify_unchanged()

    async def _flush(self, pv: PV, value: PutValue, peer: Peer) -> None:
        if str(value).strip() == "1":
            await self._commands.flush(f"{self._prefix}Flush", peer)
        elif str(value).strip() != "0":
            raise await self._unknown_word("Flush", value, "must be 1; nothing was done", peer)
        await pv.notify_unchanged()

    async def _unknown_word(self, name: str, value: PutValue, rule: str, peer: Peer) -> CommandRefused:
        return await self._refuse(name, value, CommandRefused(ResultCode.SYNTAX, f"{str(value)[:40]!r}: {rule}"), peer)

    async def _refuse(self, name: str, value: PutValue, error: CommandRefused, peer: Peer) -> CommandRefused:
        return await self._commands.executor.refuse_unreadable(f"{self._prefix}{name}", str(value), error, peer)
