"""The channels the engine looks after: who is in which row, what is wanted of it, whether it is connected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import DBR_CTRL_OFFSET
from archioc.core.events import ChannelEvent, Reason
from archioc.core.registry import RegistryChannel, RegistryReader
from archioc.core.spool.batch import ChannelMeta
from archioc.core.table.table import ChannelTable, RowState
from archioc.engine.ca.channel_access import ChannelAccess
from archioc.engine.ca.ring import TOO_LARGE
from archioc.engine.ca.searches import Searches
from archioc.engine.channels import open_gaps
from archioc.engine.channels.admission import ECA_NORDACCESS, ECA_TOLARGE, Admission, why_refused
from archioc.engine.channels.channel_metadata import ChannelMetadata
from archioc.engine.channels.channel_status import REFUSED_BY_SERVER, ChannelStatus
from archioc.engine.channels.channel_types import ChannelTypes
from archioc.engine.channels.gaps import Gaps
from archioc.engine.channels.groups import Groups
from archioc.engine.channels.last_run import LastRun
from archioc.engine.channels.misfits import Misfits
from archioc.engine.channels.once_per_day import OncePerDay
from archioc.engine.channels.refusals import Refusals
from archioc.engine.channels.removals import Removals
from archioc.engine.channels.setting_changes import SettingChanges
from archioc.engine.channels.subscriptions import Subscriptions
from archioc.engine.sampling.array_rules import ArrayRules
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.updates import Updates, newest_of_rows

ECA_DISCONN = 192
"""Of `caerr.h`."""

Rows = npt.NDArray[np.integer]


class Channels:
    """Follows the registry and the settings block; keeps names, generations and connection states by row."""

    def __init__(
        self,
        table: ChannelTable,
        registry: RegistryReader,
        access: ChannelAccess,
        sampler: Sampler,
        groups: Groups,
        inherited: open_gaps.Gaps,
        removals: Removals,
        *,
        shared_store: bool = False,
    ) -> None:
        self._table, self._registry, self._access, self._sampler, self._groups = table, registry, access, sampler, groups
        rows = table.capacity
        self.names = [""] * rows
        self.generation = np.zeros(rows, "u4")
        self._added_by = np.zeros(rows, "i8")  # revision of the registry
        self.connected = np.zeros(rows, bool)
        self._changes = SettingChanges(rows)
        self._group = np.zeros(rows, "u4")  # number of its group, 0 = none
        self.arrays = ArrayRules(rows)
        self._types = ChannelTypes(rows)
        self.metadata = ChannelMetadata(table, self.names, self._types, sampler.memory)
        self.gaps = Gaps(sampler.memory, self.names, inherited, shared=shared_store)
        self._refusals = Refusals(self.gaps, self.names)
        self._searches = Searches(access, self.names, self.generation)
        self.status = ChannelStatus(
            table, sampler.wanted, groups, self.gaps, self._refusals, self.connected, self._searches.refused, self._group
        )
        self._misfits = Misfits(table, access, self.names, self._refusals)
        self._subscriptions = Subscriptions(access, self.names, self._types, self.gaps, self._refusals)
        self._admission = Admission(self._types, self.arrays, self._refusals, sampler)
        self._revision = 0
        self._removals = removals
        self._leaving: list[int] = []
        self._daily = OncePerDay()

    @property
    def revision(self) -> int:
        """The revision of the registry that has been followed."""
        return self._revision

    def ours(self) -> Rows:
        """Rows of all channels."""
        return np.flatnonzero(self.generation[: int(self._table.settings.head["rows"][0])])

    def staying(self) -> Rows:
        """Rows of the channels that have not been removed."""
        rows = self.ours()
        return rows[~np.isin(rows, self._leaving)]

    def name_of(self, row: int, generation: int) -> str:
        """The channel of this generation in a row; empty when it has left. Any thread may ask."""
        return self.names[row] if self.generation[row] == generation else ""

    # -- what is wanted ------------------------------------------------------------------------

    def follow(self, now: int) -> Rows:
        """Take up what changed since the last call.

        The rows given back belong to removed channels: their withheld values pass now, and
        `forget_removed` ends them once a batch with these is cut.
        """
        head = self._table.settings.head
        wanted = int(head["revision"][0])
        if wanted == self._revision:
            self._follow_conditions(now)
            return np.empty(0, "i8")
        groups = self._registry.groups_since(self._revision)
        if groups is not None:
            self._groups.follow(groups)
        self._follow_conditions(now)
        removed = self._let_go_of_removed(now)
        added, _ = self._registry.channels_since(self._revision)
        known = self.generation
        self._adopt([channel for channel in added if channel.revision <= wanted and known[channel.row] != channel.generation], now)
        if self._revision == 0:
            self.gaps.end_inheritance(now, *self._removals.since_last_run())
        self._take_settings(now)
        self._revision = wanted
        self._table.status.head["revision"] = wanted
        return removed

    def _let_go_of_removed(self, now: int) -> Rows:
        cells = self._table.settings.cells[: int(self._table.settings.head["rows"][0])]
        ours = self.generation[: len(cells)]
        gone = np.flatnonzero((ours != 0) & ((cells["state"] != RowState.USED) | (cells["generation"] != ours)))
        for row in gone.tolist():
            self._access.clear(self.names[row])
            self._leaving.append(row)
        self.gaps.leave(gone, now, self._removals.moved(gone, self._revision))
        self._refusals.forget(gone.tolist())
        self._searches.forget(gone)
        self.connected[gone] = False
        self._sampler.clocks.disconnect(gone)
        self._sampler.wanted.enable[gone] = False
        self.status.release_unknown(ours)
        return gone

    def forget_removed(self) -> None:
        """Removed channels are in no open batch any more: their rows may be given to others."""
        if not self._leaving:
            return
        rows = np.array(self._leaving)
        self._leaving.clear()
        for row in rows.tolist():
            self.names[row] = ""
            self.metadata.forget(row)
        self._misfits.forget(rows)
        self.status.release(rows, self.generation[rows])
        self.generation[rows] = 0

    def _adopt(self, channels: list[RegistryChannel], now: int) -> None:
        if not channels:
            return
        rows = np.array([channel.row for channel in channels])
        generation = np.array([channel.generation for channel in channels], "u4")
        new = self._sampler.memory.generation[rows] != generation
        for channel in channels:
            self.names[channel.row] = channel.name
        self._sampler.forget(rows[new], generation[new])
        self.generation[rows] = generation
        self._added_by[rows] = [channel.revision for channel in channels]
        self._types.forget(rows[new])
        self._types.dbr[rows[~new]] = self.status.known_types(rows[~new], generation[~new])
        self.status.begin(rows, generation, new)
        self.gaps.wait_for_first(rows[new], now)
        self._searches.add(rows)

    def _take_settings(self, now: int) -> None:
        """Copy settings from the table; act where a channel was switched on or off."""
        rows = self.staying()  # removed ones stay off: nothing more of them is stored
        cells = self._table.settings.cells[rows]
        rows, cells = rows[cells["seq"] % 2 == 0], cells[cells["seq"] % 2 == 0]  # the others change just now, with a new revision
        wanted = self._sampler.wanted
        was_on, repeated = wanted.on(rows), wanted.longest[rows] > 0
        self._sampler.load_settings(rows, cells)
        for row, text in self._changes.load(rows, cells):
            self.gaps.events.append(ChannelEvent(self.names[row], now, Reason.SETTINGS_CHANGED, text=text))
        self._group[rows] = cells["group"]
        wanted.group_on[rows] = self._groups.on[cells["group"]]
        self._subscriptions.load_masks(rows, cells["mask"], self.connected)
        self._refused_by_setting(self.arrays.load(rows, cells))
        self._switch(rows, was_on, now)
        to_repeat = rows[wanted.on(rows) & was_on & ~repeated & (wanted.longest[rows] > 0)]
        for row in to_repeat[self.connected[to_repeat]].tolist():
            self._access.ask(self.names[row])  # what there is to be written again, if it does not change

    def _follow_conditions(self, now: int) -> None:
        """Act where a group was switched on or off by its condition."""
        flipped = self._groups.evaluate()
        if not len(flipped):
            return
        rows = self.ours()
        rows = rows[np.isin(self._group[rows], flipped) & ~np.isin(rows, self._leaving)]
        wanted = self._sampler.wanted
        was_on = wanted.on(rows)
        wanted.group_on[rows] = self._groups.on[self._group[rows]]
        self._switch(rows, was_on, now)

    def _switch(self, rows: Rows, was_on: npt.NDArray[np.bool_], now: int) -> None:
        """Act where channels are archived now and were not before (`was_on`), or the other way."""
        wanted, gap = self._sampler.wanted, self._sampler.memory.gap
        is_on, enabled = wanted.on(rows), wanted.enable[rows]
        disabled = rows[~enabled & (gap[rows] != Reason.DISABLED)]
        grouped = rows[enabled & ~is_on & (gap[rows] != Reason.GROUP_OFF)]
        on = rows[is_on & ~was_on]
        self.gaps.change(disabled, Reason.DISABLED, now)
        self.gaps.change(grouped, Reason.GROUP_OFF, now, {row: self._groups.text(int(self._group[row])) for row in grouped.tolist()})
        was_off = np.isin(gap[on], (Reason.DISABLED, Reason.GROUP_OFF))
        self.gaps.change(on[was_off & ~self.connected[on]], Reason.DISCONNECTED, now)
        self.gaps.expect_values(on[self.connected[on]], now)
        for row in on[self.connected[on]].tolist():
            self._sampler.fresh[row] = True
            self._access.ask(self.names[row])
        self.status.show_state(np.concatenate([rows[was_on & ~is_on], disabled, grouped, on]))

    def mark_absence(self, last: LastRun) -> None:
        """The channels that the engine before this one collected have a gap since then.

        Where the table is new (after a reboot) it cannot tell which; the registry's revision of that time does.
        """
        rows = self.ours()
        memory, enabled = self._sampler.memory, self._sampler.wanted.on(rows)
        self.gaps.change(rows[memory.gap[rows] == Reason.NO_VALUE], last.reason, last.ended_ns)
        self.gaps.end_collecting(rows[memory.seen[rows] != 0], last.reason, last.ended_ns)
        before = rows[(memory.seen[rows] == 0) & enabled & (self._added_by[rows] <= last.revision)]
        self.gaps.change(before[self.gaps.unannounced(before)], last.reason, last.ended_ns)
        self.gaps.open(before, last.reason, last.ended_ns)  # of those that had been refused all the time

    def announce_gaps(self, now: int) -> None:
        """Tell the gaps that have lasted too long by now (ns) to be passed over."""
        lasting, silent = self.gaps.announce_lasting(now), self.gaps.announce_silent(now, self._refusals.why)
        unanswered = self._searches.end_refusals(now)
        self.gaps.explain(unanswered, "no server answers any more")
        self.status.show_state(np.concatenate([lasting, silent, unanswered]))

    def announce_daily(self, now: int) -> list[ChannelMeta]:
        """Tell a shared store which channels are collected here, those whose turn it is today (now: ns); their metadata as of now.

        So metadata never age out before the samples that they belong to.
        """
        due = self._daily.due(now, self._sampler.memory.used)
        rows = due[self.generation[due] != 0]
        if not len(rows):
            return []
        self._announce_collected(rows, now)
        return self.metadata.as_of(now, rows.tolist())

    def announce_all(self, now: int) -> None:
        """Tell a shared store of every channel that it is collected here (now: ns)."""
        self._announce_collected(self.ours(), now)

    def _announce_collected(self, rows: Rows, now: int) -> None:
        self.gaps.announce_collected(rows[~np.isin(rows, self._leaving)], now)

    def create_some(self, now: int) -> None:
        """Have libca look for some of the channels that wait for it (now: ns)."""
        refused = self._searches.begin_some(now, self._leaving)
        for row in refused:
            self._refusals.begin(row, now, "Channel Access does not take this name")
        self.status.show_state(np.array(refused, np.intp))

    # -- what Channel Access tells -------------------------------------------------------------

    def on_connected(self, rows: Rows, dbr: npt.NDArray[np.integer], count: npt.NDArray[np.integer], now: int) -> None:
        """These channels have connected at this time (ns), with this native type and number of elements."""
        staying = ~np.isin(rows, self._leaving)  # libca has let go of the others already
        rows, dbr, count = rows[staying], dbr[staying], count[staying]
        self._refusals.forget(rows.tolist())
        self._misfits.forget(rows)
        for row, its_dbr, its_count in zip(rows.tolist(), dbr.tolist(), count.tolist(), strict=True):
            self._subscriptions.begin(row, its_dbr, its_count)
        self._searches.connect(rows, now)
        self.connected[rows] = True
        self._sampler.fresh[rows] = True
        self.gaps.expect_values(rows[self._sampler.wanted.on(rows)], now)
        hosts = [self._access.host(self.names[row]) for row in rows.tolist()]
        self._sampler.clocks.connect(rows, hosts)
        self.status.connect(rows, dbr, count, hosts)

    def on_resumed(self, rows: Rows, times: npt.NDArray[np.int64]) -> None:
        """The traces of these channels began or resumed at these times (ns)."""
        self.gaps.close(rows, times)
        self.status.show_state(rows)

    def on_disconnected(self, rows: Rows, time_ns: int) -> None:
        """These channels have lost their server, or one that was found has refused them."""
        rows = rows[~np.isin(rows, self._leaving)]
        refused, lost = rows[~self.connected[rows]], rows[self.connected[rows]]
        self.gaps.lose(rows[self._sampler.wanted.on(rows)], time_ns)
        self.connected[lost] = False
        self._refusals.forget(lost.tolist())
        self._sampler.clocks.disconnect(lost)
        self._searches.lose(lost, time_ns)
        self.gaps.explain(self._searches.refuse(refused, time_ns), REFUSED_BY_SERVER)
        self.status.disconnect(lost)
        self.status.show_state(refused)

    def on_refused(self, slots: npt.NDArray[np.void]) -> None:
        """The server, libca or the ring refuses values of channels; slots: of kind REFUSED, with ECA_ numbers of `caerr.h` as count."""
        lasting = slots[slots["count"] != ECA_DISCONN]  # libca ends what was asked for when a connection breaks; that is no refusal
        rows, elements = lasting["row"].astype(np.intp), lasting.view(TOO_LARGE)["elements"]
        self._sampler.lose(rows[(elements != 0) & (lasting["count"] == ECA_TOLARGE)])
        staying = ~np.isin(rows, self._leaving)
        is_meta = lasting["dbr"] >= DBR_CTRL_OFFSET
        for slot in _newest(lasting[staying & is_meta]):
            if slot["count"] != ECA_NORDACCESS:  # what refuses values as well says so again
                self._access.do_without_properties(self.names[slot["row"]])
        values = lasting[staying & ~is_meta]
        for slot, its_elements in zip(_newest(values), _newest(values).view(TOO_LARGE)["elements"].tolist(), strict=True):
            self._refusals.begin(int(slot["row"]), int(slot["received"]), why_refused(int(slot["count"]), its_elements))
        self.status.show_state(rows)

    def on_misfits(self, slots: npt.NDArray[np.void]) -> None:
        """Messages came that are not what was subscribed to; slots: of kind MISFIT. Those of values count as received and filtered."""
        rows = slots["row"].astype(np.intp)
        self._sampler.leave_out(rows[slots["dbr"] < DBR_CTRL_OFFSET])
        self._misfits.take(slots[~np.isin(rows, self._leaving)])
        self.status.show_state(rows)

    def _refused_by_setting(self, changed: Rows) -> None:
        """The rules for arrays of these rows have changed: what they refused may pass now."""
        again = [row for row in changed.tolist() if row in self._refusals and self.connected[row] and not self._misfits.have_ended(row)]
        self._refusals.forget(again)
        for row in again:
            self._access.ask(self.names[row])
        self.status.show_state(np.array(again, np.intp))

    def admit(self, updates: Updates) -> Updates:
        """The updates that are to be sampled, in the shape in which they are stored."""
        admitted, changed = self._admission.admit(updates)
        self.status.show_state(changed)
        return admitted

    def look_again(self, rows: Rows, now: int) -> None:
        """Events of these channels were lost: a connection, a disconnection, metadata or the newest value may be among them."""
        came: list[tuple[int, int, int]] = []
        gone: list[int] = []
        for row in rows[self.generation[rows] != 0].tolist():
            if row in self._leaving or self._searches.is_new(row) or self._misfits.have_ended(row):
                continue
            found = self._access.native_type_of(self.names[row])
            if found is not None:
                came.append((row, *found))
            elif self.connected[row]:
                gone.append(row)
        if gone:
            self.on_disconnected(np.array(gone), now)
        if came:
            up, dbr, count = np.array(came).T
            self.on_connected(up, dbr, count, now)
            for row in up.tolist():
                self._access.ask(self.names[row])


def _newest(slots: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """The newest of these slots of each row."""
    newest: npt.NDArray[np.void] = slots[newest_of_rows(slots["row"])] if len(slots) else slots
    return newest
