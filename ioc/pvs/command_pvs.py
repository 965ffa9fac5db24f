"""The command PVs of the archiver, from `Add` to `Apply`, and what became of the last put of all."""

from __future__ import annotations

from archioc.core.dbr import Dbr, Severity, Status
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.pv import PV, PvSpec
from archioc.ioc.commands.commands import Commands
from archioc.ioc.pvs.command_puts import LIST_ELEMENTS, TEXT_BYTES, CommandPuts
from archioc.ioc.results import Outcome

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
    "Apply": PvSpec(Dbr.LONG, "1 = read the file and follow it; 2 = show what 1 would do; 3 and 4: the same with prune", access="expert"),
    "Result": PvSpec(Dbr.CHAR, "What became of the last command or put of all clients", count=RESULT_BYTES),
    "ResultCode": PvSpec(Dbr.LONG, "Code of Result; 0 = done (see results.md)"),
    "LastChange": PvSpec(Dbr.CHAR, "Newest put that was carried out: when, who, what, old and new value", count=LAST_CHANGE_BYTES),
    "RecentChanges": PvSpec(
        Dbr.CHAR, "Newest 20 puts that were carried out: a line each as LastChange, newest first", count=RECENT_CHANGES_BYTES
    ),
    "Refused": PvSpec(Dbr.DOUBLE, "Puts refused for any reason since the IOC started"),
    "Denied": PvSpec(Dbr.DOUBLE, "Those of Refused that were refused because of who sent them"),
    "Busy": PvSpec(Dbr.ENUM, "Whether a command is being carried out", labels=("Idle", "Busy")),
}


def result_alarm(outcome: Outcome) -> Alarm:
    """That of `Result` and `ResultCode`: MINOR for a put that was refused."""
    return (Status.WRITE, Severity.MINOR) if outcome.code else NO_ALARM


class CommandPvs:
    """The command PVs of one archiver; each reads back empty or 0."""

    def __init__(self, prefix: str, commands: Commands) -> None:
        self._executor = commands.executor
        puts = CommandPuts(prefix, commands)
        self.pvs = {name: PV(f"{prefix}{name}", spec, writer=puts.writer(name)) for name, spec in COMMAND_SPECS.items()}

    async def show_result(self) -> None:
        """Bring the PVs that show the results of puts up to date."""
        executor, outcome = self._executor, self._executor.outcome
        alarm = result_alarm(outcome)
        await self.pvs["Result"].show(outcome.text, alarm=alarm)
        await self.pvs["ResultCode"].show(int(outcome.code), alarm=alarm)
        await self.pvs["LastChange"].show(executor.changes[0] if executor.changes else "")
        await self.pvs["RecentChanges"].show("\n".join(line[:RECENT_LINE] for line in executor.changes))
        await self.pvs["Refused"].show(executor.refused)
        await self.pvs["Denied"].show(executor.denied)
        await self.pvs["Busy"].show(int(executor.busy))
