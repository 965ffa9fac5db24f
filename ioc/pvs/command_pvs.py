"""The command PVs, from `Add` to `Apply`, and what became of the last one."""

from __future__ import annotations

from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, PvSpec, Writer
from archioc.ioc.commands.applying import Apply
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.results import ResultCode

TEXT_BYTES = 16_000
LIST_ELEMENTS = 1000
RESULT_BYTES = 1024
LAST_CHANGE_BYTES = 512
RECENT_CHANGES_BYTES = 6000
RECENT_LINE = 250
"""Characters of each line."""

COMMAND_SPECS: dict[str, PvSpec] = {
    "Add": PvSpec(Dbr.CHAR, "Add channels: a line each: NAME [setting=value ...]", count=TEXT_BYTES, access="expert"),
    "Remove": PvSpec(Dbr.CHAR, "Remove channels: a line each: NAME or glob [confirm=N]", count=TEXT_BYTES, access="expert"),
    "Set": PvSpec(Dbr.CHAR, "Change settings: a line each: NAME or glob setting=value ... [confirm=N]", count=TEXT_BYTES, access="control"),
    "Rename": PvSpec(Dbr.CHAR, "Rename channels: a line each: OLD NEW", count=TEXT_BYTES, access="expert"),
    "AddList": PvSpec(Dbr.STRING, "Add channels: an element each: as a line of Add", count=LIST_ELEMENTS, access="expert"),
    "RemoveList": PvSpec(Dbr.STRING, "Remove channels: an element each: as a line of Remove", count=LIST_ELEMENTS, access="expert"),
    "ImportFile": PvSpec(
        Dbr.CHAR, "Add channels of files: a line each: PATH in the directory import [format=F]", count=TEXT_BYTES, access="expert"
    ),
    "Flush": PvSpec(Dbr.LONG, "1 = commit what is collected now; reads back 0", access="control"),
    "Apply": PvSpec(Dbr.LONG, "1 = read the file and follow it; 2 = tell what 1 would do; 3 and 4: the same with prune", access="expert"),
    "Result": PvSpec(Dbr.CHAR, "What became of the last command or put", count=RESULT_BYTES),
    "ResultCode": PvSpec(Dbr.LONG, "Code of Result; 0 = done (see results.md)"),
    "LastChange": PvSpec(Dbr.CHAR, "Newest put that was carried out: when, who, what, old and new value", count=LAST_CHANGE_BYTES),
    "RecentChanges": PvSpec(
        Dbr.CHAR, "Newest 20 puts that were carried out: a line each as LastChange, newest first", count=RECENT_CHANGES_BYTES
    ),
    "Denied": PvSpec(Dbr.DOUBLE, "Puts refused because of who sent them since the IOC started"),
    "Busy": PvSpec(Dbr.ENUM, "Whether a command is being carried out", labels=("Idle", "Busy")),
}


class CommandPvs:
    """The command PVs of one archiver."""

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
        writers: dict[str, Writer] = {**dict.fromkeys(self._carry_out, self._command), "Flush": self._flush, "Apply": self._apply}
        self.pvs = {name: PV(f"{prefix}{name}", spec, writer=writers.get(name)) for name, spec in COMMAND_SPECS.items()}

    async def show_result(self) -> None:
        """Bring the PVs that show the results of puts up to date."""
        executor = self._commands.executor
        alarm = (Status.WRITE, Severity.MINOR) if executor.code else NO_ALARM
        await self.pvs["Result"].show(executor.result, alarm=alarm)
        await self.pvs["ResultCode"].show(int(executor.code), alarm=alarm)
        await self.pvs["LastChange"].show(executor.changes[0] if executor.changes else "")
        await self.pvs["RecentChanges"].show("\n".join(line[:RECENT_LINE] for line in executor.changes))
        await self.pvs["Denied"].show(executor.denied)
        await self.pvs["Busy"].show(int(executor.busy))

    async def _command(self, pv: PV, value: PutValue, peer: Peer) -> None:
        text = await self._readable(pv, value, peer)
        await self._carry_out[pv.name.removeprefix(self._prefix)](pv.name, text, peer)
        if pv.spec.dbr is Dbr.CHAR:
            await pv.show(text)

    async def _readable(self, pv: PV, value: PutValue, peer: Peer) -> str:
        try:
            return value.text(TEXT_BYTES if pv.spec.dbr is Dbr.CHAR else LIST_ELEMENTS * 40)
        except CommandRefused as error:
            raise await self._commands.executor.refuse_unreadable(pv.name, str(value), error, peer) from None

    async def _apply(self, pv: PV, value: PutValue, peer: Peer) -> None:
        word = str(value).strip()
        if word in {str(int(how)) for how in Apply}:
            await self._commands.apply(pv.name, Apply(int(word)), peer)
        elif word != "0":
            rule = "must be 1 (apply), 2 (dry run), 3 (apply and prune) or 4 (dry run of 3); nothing was done"
            raise await self._unknown_word(pv, value, rule, peer)
        await pv.notify_unchanged()

    async def _flush(self, pv: PV, value: PutValue, peer: Peer) -> None:
        if str(value).strip() == "1":
            await self._commands.flush(pv.name, peer)
        elif str(value).strip() != "0":
            raise await self._unknown_word(pv, value, "must be 1; nothing was done", peer)
        await pv.notify_unchanged()

    async def _unknown_word(self, pv: PV, value: PutValue, rule: str, peer: Peer) -> CommandRefused:
        error = CommandRefused(ResultCode.SYNTAX, f"{str(value)[:40]!r}: {rule}")
        return await self._commands.executor.refuse_unreadable(pv.name, str(value), error, peer)
