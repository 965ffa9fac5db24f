"""The state of an archiver in numbers, read from the run directory by whoever wants to see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from archioc.core.directories import Directories
from archioc.core.errors import SpoolFileDamaged
from archioc.core.registry import RegistryReader
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.archive_totals import ArchiveTotals, count_up
from archioc.core.table.columns import DROPS
from archioc.core.table.group_status import ConditionState, identity, why_off
from archioc.core.table.process_counts import read_counts
from archioc.core.table.table import ChannelState, ChannelTable, ProcessState, StoreState, read_row


@dataclass(frozen=True, slots=True)
class Conservation:
    """What came in and what became of it, in updates and samples.

    received + generated = filtered + stored + pending + rejected + dropped, once all is at rest;
    each is counted by itself, none is the rest of the others.
    """

    received: int
    generated: int
    filtered: int
    stored: int
    pending: int
    rejected: int
    dropped: int

    @property
    def unaccounted(self) -> int:
        """What the two sides differ by; 0 at rest."""
        return self.received + self.generated - self.filtered - self.stored - self.pending - self.rejected - self.dropped

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ChannelOverview:
    """One channel as the table shows it. time_ns: IOC stamp of its newest value, 0 when there is none."""

    name: str
    state: str
    reason: str
    value: float
    text: str
    time_ns: int
    severity: int
    rate: float
    mode: int
    conservation: Conservation


@dataclass(frozen=True, slots=True)
class ProcessOverview:
    """One of the three processes: what it does, and how often it has been restarted."""

    name: str
    state: str
    restarts: int


@dataclass(frozen=True, slots=True)
class GroupOverview:
    """A group. on: whether its channels are archived; reason: why not, empty while they are."""

    name: str
    condition: str
    condition_state: str
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The archiver as a whole. Rates per second, lag in seconds, sizes in bytes."""

    processes: tuple[ProcessOverview, ...]

    channels: int
    connected: int
    enabled: int
    event_rate: float
    sample_rate: float
    store_state: str
    store_error: str
    spool_error: str
    spool_files: int
    spool_bytes: int
    groups: tuple[GroupOverview, ...]
    conservation: Conservation


class RunningArchiver:
    """Reads table, registry and spool of one state directory. Raises RunDirError, RegistryError."""

    def __init__(self, directories: Directories) -> None:
        self._spool = SpoolDirectory(directories.spool)
        self._table = ChannelTable(directories.run)
        self._table.open(read_only=True)
        self._registry = RegistryReader(directories.registry)

    def close(self) -> None:
        """Let go of the files."""
        self._registry.close()
        self._table.close()

    @property
    def _floor(self) -> int:
        """The newest batch that is in no counter: it was in the spool when these began."""
        return int(self._table.delivery.head["floor"][0])

    def overview(self) -> Overview:
        """The whole archiver."""
        totals = count_up(self._table)
        entries = [*self._spool.waiting(), *self._spool.claimed()]
        return Overview(
            processes=self._processes(),
            channels=totals.channels,
            connected=totals.connected,
            enabled=totals.enabled,
            event_rate=totals.status("event_rate"),
            sample_rate=totals.status("sample_rate"),
            store_state=StoreState(int(totals.delivery("store_state"))).name.lower(),
            store_error=totals.store_error,
            spool_error=totals.spool_error,
            spool_files=len(entries),
            spool_bytes=sum(self._spool.stat(entry).size for entry in entries),
            groups=self._groups(),
            conservation=_total(totals, sum(entry.samples for entry in entries if entry.batch_id > self._floor)),
        )

    def _groups(self) -> tuple[GroupOverview, ...]:
        found = []
        for group in self._registry.groups_since(-1) or []:
            cell = self._table.groups.cells[group.number]
            told = int(cell["identity"]) == identity(group.name, group.condition)
            state = ConditionState(int(cell["state"])) if told else ConditionState.UNKNOWN if group.condition else ConditionState.NONE
            on = bool(cell["on"]) if told else group.enable
            why = "" if on else why_off(group.name, group.condition, enable=group.enable, state=state)
            found.append(GroupOverview(group.name, group.condition, state.name.lower(), on, why))
        return tuple(found)

    def _processes(self) -> tuple[ProcessOverview, ...]:
        restarts = read_counts(self._table.run_dir)
        blocks = {"ioc": self._table.settings, "engine": self._table.status, "db": self._table.delivery}
        states = {name: ProcessState(int(block.head["state"][0])).name.lower() for name, block in blocks.items()}
        return tuple(ProcessOverview(name, state, getattr(restarts, name)) for name, state in states.items())

    def channels(self) -> list[ChannelOverview]:
        """Every channel, by name."""
        in_spool = self._samples_in_spool()
        found, _ = self._registry.channels_since(0)
        return [self._channel(one.name, one.row, one.generation, in_spool) for one in sorted(found, key=lambda one: one.name)]

    def _samples_in_spool(self) -> dict[tuple[int, int], int]:
        """Pending samples of each row and generation, counted from the files."""
        found: dict[tuple[int, int], int] = {}
        for entry in (*self._spool.waiting(), *self._spool.claimed()):
            if entry.batch_id <= self._floor:
                continue
            try:
                counts = self._spool.tally(entry).counts
            except (FileNotFoundError, SpoolFileDamaged):
                continue  # delivered while we look, or about to be set aside
            for row, generation, samples in counts.tolist():
                found[row, generation] = found.get((row, generation), 0) + samples
        return found

    def _channel(self, name: str, row: int, generation: int, in_spool: dict[tuple[int, int], int]) -> ChannelOverview:
        settings, status = read_row(self._table.settings, row)[0], read_row(self._table.status, row)[0]
        ledger, delivery = self._table.ledger.cells[row], self._table.delivery.cells[row]
        counted = int(ledger["generation"]) == generation
        delivered = int(delivery["generation"]) == generation
        return ChannelOverview(
            name=name,
            state=ChannelState(int(status["state"])).name.lower() if int(status["generation"]) == generation else "new",
            reason=bytes(status["reason"]).decode(errors="replace"),
            value=float(status["value"]),
            text=bytes(status["text"]).decode(errors="replace"),
            time_ns=int(status["time"]),
            severity=int(status["severity"]),
            rate=float(settings["rate"]),
            mode=int(settings["mode"]),
            conservation=Conservation(
                received=int(ledger["received"]) if counted else 0,
                generated=int(ledger["generated"]) if counted else 0,
                filtered=int(ledger["filtered"]) if counted else 0,
                stored=int(delivery["stored"]) if delivered else 0,
                pending=(int(ledger["withheld"]) if counted else 0) + in_spool.get((row, generation), 0),
                rejected=int(delivery["rejected"]) if delivered else 0,
                dropped=sum(int(ledger[drop]) for drop in DROPS) if counted else 0,
            ),
        )


def _total(totals: ArchiveTotals, in_spool: int) -> Conservation:
    return Conservation(
        received=int(totals.ledger("received")),
        generated=int(totals.ledger("generated")),
        filtered=int(totals.ledger("filtered")),
        stored=int(totals.delivery("stored")),
        pending=int(totals.ledger("withheld")) + in_spool,
        rejected=int(totals.delivery("rejected")),
        dropped=int(totals.dropped),
    )
