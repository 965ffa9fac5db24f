"""Every error that ArchIOC raises on purpose.

ArchiocError
├── ConfigError          the configuration file: file, line, key, rule           exit code 2
├── SettingError         one channel setting: name, value, rule
├── ChannelNameError     a channel name that Channel Access cannot carry
├── UnknownChannel       a channel that is not archived
├── CommandRefused       a put to a command PV that was refused as a whole
├── TimeFormatError      a time on the command line that cannot be read
├── UsageError           options of a command that do not go together                exit code 2
├── OutputError          a file that cannot be written, or what it cannot show
├── StateDirInUse        another archiver owns the state directory
├── StateDirError        the state directory cannot be used: rights, owner
├── RunDirError          the run directory is missing, foreign or of another version
├── TableFull            more channels than max_channels
├── CallbackMissing      the compiled callback is asked for and was not built
├── RegistryError        state.db cannot be opened, read or written
├── ServeError           control PVs or HTTP cannot be served: address or port
├── ServerUnavailable    the client: nothing answers at its address, or the answer broke off
├── QuarantineError      an entry of the quarantine that is not there, damaged, or not for this store
├── SpoolError
│   └── SpoolFileDamaged     a spool file whose header or CRC is wrong
└── StoreError
    ├── StoreUnavailable     no answer, 429, 5xx: keep the batch and try again
    ├── StoreDenied          401, 403, 404, no answer of a store: keep the batch, raise an alarm
    ├── StoreRejected        400, 422 of the store itself: bisect, then reject the bad points
    ├── StoreTooLarge        413: halve the body
    └── QueryError           a query that the store could not answer
"""

from __future__ import annotations

from pathlib import Path


class ArchiocError(Exception):
    """Base of all errors of ArchIOC; its text is fit to be shown to a user as it is."""


class ConfigError(ArchiocError):
    """A rule of the configuration is broken; the text is one line `file:line: key: what is wrong`."""

    def __init__(self, file: Path | str, line: int | None, key: str, message: str) -> None:
        self.file, self.line, self.key, self.message = str(file), line, key, message
        place = f"{file}:{line}" if line is not None else f"{file}"
        super().__init__(f"{place}: {key}: {message}" if key else f"{place}: {message}")


MAX_SHOWN = 100
"""Letters of a value that an error repeats; what a client wrote may be long."""


class SettingError(ArchiocError):
    """A channel setting whose name is unknown or whose value breaks a rule."""

    def __init__(self, setting: str, value: object, rule: str) -> None:
        self.setting, self.value, self.rule = setting, value, rule
        shown = f"{value:.15g}" if isinstance(value, float) else str(value)
        super().__init__(f"{_beginning(setting)}={_beginning(shown)}: {rule}")


def _beginning(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


class ChannelNameError(ArchiocError):
    """A text that cannot be the name of a channel."""

    def __init__(self, name: str, rule: str) -> None:
        self.name, self.rule = name, rule
        super().__init__(f"channel name {name!r}: {rule}")


class UnknownChannel(ArchiocError):
    """A channel that the archiver does not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name}: no such channel in this archive")


class CommandRefused(ArchiocError):
    """A command that was refused as a whole; nothing was changed.

    `code` is a `ResultCode` of the contract (`docs/reference/contract/results.md`).
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class TimeFormatError(ArchiocError):
    """A text that is not a time as the contract describes them."""


class UsageError(ArchiocError):
    """Options of a command that do not go together, or a value that an option does not take."""


class OutputError(ArchiocError):
    """A file that cannot be written, or samples that its form cannot show."""


class StateDirInUse(ArchiocError):
    """Another archiver runs on this state directory. holder: its process number, None where it cannot be known."""

    def __init__(self, text: str, holder: int | None = None) -> None:
        super().__init__(text)
        self.holder = holder


class StateDirError(ArchiocError):
    """The state directory cannot be used: it cannot be made, belongs to somebody else, or is open to everybody."""


class RunDirError(ArchiocError):
    """The run directory or one of its files cannot be used."""


class TableFull(ArchiocError):
    """The channel table has no row left (`archiver.max_channels`), or no memory for one."""


class CallbackMissing(ArchiocError):
    """The compiled event callback is asked for, but it could not be built at installation."""


class RegistryError(ArchiocError):
    """`state.db` could not be opened, read or written."""


class ServeError(ArchiocError):
    """The control PVs, or HTTP, cannot be served: an address that this machine does not have, or a port that is taken."""


class ServerUnavailable(ArchiocError):
    """Nothing answers where `archioc.Client` asks, or the answer broke off."""


class QuarantineError(ArchiocError):
    """An entry of the quarantine that is not there, cannot be read, or was made for another store."""


class SpoolError(ArchiocError):
    """Base of what can go wrong in the spool."""


class SpoolFileDamaged(SpoolError):
    """A spool file is cut short or its CRC does not match."""

    def __init__(self, path: Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path}: {why}")


class StoreError(ArchiocError):
    """Base of what a store may answer instead of success."""


class StoreUnavailable(StoreError):
    """The store did not answer or is busy; the batch is kept and tried again.

    `retry_after` is what the server asked for (s), None when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoreDenied(StoreError):
    """The store refuses us (token, database); the batch is kept, the reason shown as an alarm."""


class StoreRejected(StoreError):
    """The store refuses at least one point of this body for good."""


class StoreTooLarge(StoreError):
    """The body exceeds what the store takes at once."""


class QueryError(StoreError):
    """The store could not answer a query."""
