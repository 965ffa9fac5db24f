"""What became of a command: the PVs `Result` and `ResultCode` of the archiver and of each view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from archioc.core.errors import ArchiocError, ChannelNameError, CommandRefused, RegistryError, SettingError, TableFull, UnknownChannel


class ResultCode(IntEnum):
    """Codes of the contract (`docs/reference/contract/results.md`)."""

    DONE = 0
    SYNTAX = 1
    BAD_SETTING = 2
    EXISTS = 3
    UNKNOWN_CHANNEL = 4
    CONFIRM = 5
    TABLE_FULL = 6
    NOT_ALLOWED = 7
    REGISTRY = 8
    NO_ANSWER = 9
    BAD_FILE = 10
    MOVED = 11
    FOREIGN = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a put. text: what `Result` shows."""

    text: str = ""
    code: ResultCode = ResultCode.DONE


NO_OUTCOME = Outcome()


def code_of(error: ArchiocError) -> ResultCode:
    """The code under which an error is reported."""
    match error:
        case CommandRefused():
            return ResultCode(error.code)
        case SettingError() | ChannelNameError():
            return ResultCode.BAD_SETTING
        case UnknownChannel():
            return ResultCode.UNKNOWN_CHANNEL
        case TableFull():
            return ResultCode.TABLE_FULL
        case RegistryError():
            return ResultCode.REGISTRY
        case _:
            return ResultCode.SYNTAX
