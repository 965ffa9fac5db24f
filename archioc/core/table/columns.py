"""Columns of the channel table's blocks with a row per channel, and the fields in their heads: `_HEAD`, one value of each in a block.

The numbers of states are those of `archioc.core.table.table`.
"""

from __future__ import annotations

import numpy as np

SETTINGS_HEAD = np.dtype(
    [
        ("revision", "<i8"),  # newest revision of the registry
        ("rows", "<i8"),  # rows in use lie below this
        ("heartbeat", "<i8"),  # ns since 1970, of the ioc process
        ("state", "<i8"),  # ProcessState
        ("pid", "<i8"),
        ("flush", "<i8"),  # counter: the engine commits at once when it changes
    ]
)
SETTINGS = np.dtype(
    [
        ("seq", "<u4"),
        ("generation", "<u4"),  # 0: never used
        ("state", "u1"),  # RowState
        ("enable", "u1"),
        ("mode", "u1"),  # Mode
        ("mask", "u1"),  # Mask
        ("by_ioc", "u1"),  # Stamping: whose time samples get
        ("as_text", "u1"),
        ("large_arrays", "u1"),  # LargeArrays
        ("pad", "V1"),
        ("max_elements", "<u4"),  # 0 = no limit
        ("group", "<u4"),  # number of its group in the registry, 0 = none
        ("rate", "<f8"),  # Hz, 0 = no limit
        ("deadband", "<f8"),  # in the channel's unit
        ("deadband_pct", "<f8"),  # % of the last archived value
        ("max_interval", "<f8"),  # s, 0 = never
        ("quota", "<f8"),  # samples/s, 0 = no limit
    ]
)

STATUS_HEAD = np.dtype(
    [
        ("heartbeat", "<i8"),  # ns since 1970, of the engine process
        ("state", "<i8"),  # ProcessState
        ("pid", "<i8"),
        ("collected_at", "<i8"),  # ns since 1970, when the ring was last drained
        ("collected_boot", "<i8"),  # the same moment in ns since this boot of the machine
        ("revision", "<i8"),  # the registry revision the engine has followed
        ("callback", "<i8"),  # 1 = pinned Python, 2 = compiled
        ("ring_fill", "<f8"),  # part of the ring in use, 0..1
        ("event_rate", "<f8"),  # updates/s, averaged over about 2 s
        ("sample_rate", "<f8"),  # samples/s
        ("spool_error", "S120"),  # why the last commit failed; empty when it did not
        ("flush_done", "<i8"),  # the flush counter that has been followed
        ("loop_lag", "<f8"),  # longest time between two drains in the last second (s)
        ("written_again", "<i8"),  # the counter `write_again` of the db process that has been followed
        ("clock_suspect", "<i8"),  # 1: so many IOCs are ahead of our clock that it is ours which is in doubt
    ]
)
STATUS = np.dtype(
    [
        ("seq", "<u4"),
        ("generation", "<u4"),
        ("state", "u1"),  # ChannelState
        ("connected", "u1"),
        ("dbr", "u1"),  # native DBR type
        ("kind", "u1"),  # batch.Kind
        ("severity", "u1"),
        ("status", "u1"),
        ("released", "u1"),  # 1: the engine has released a removed row
        ("ever_connected", "u1"),  # 1: it has been connected since it was added or the run directory was made
        ("count", "<u4"),  # elements
        ("disconnects", "<u4"),
        ("value", "<f8"),  # newest value received
        ("time", "<i8"),  # its IOC time stamp (ns since 1970)
        ("received_at", "<i8"),  # when it came (ns since 1970)
        ("event_rate", "<f4"),  # updates/s
        ("sample_rate", "<f4"),  # samples/s
        ("text", "S40"),  # newest text or enum label
        ("host", "S64"),
        ("units", "S15"),
        ("precision", "u1"),  # digits after the point that its IOC shows, and 1; 0: not known
        ("reason", "S64"),  # why it is not archived
    ]
)

DROPS = ("dropped_overflow", "dropped_spool_full", "dropped_quota")
"""Counters of what was lost, one for each reason."""

TOLD = ("told_overflow", "told_spool_full", "told_quota")
"""How much of each of DROPS events have told."""

LEDGER_TOTALS = ("received", "generated", "filtered", "committed", *DROPS, "late", "bad_time")
"""Counters of the engine: in each row, and in the head summed over all channels there are and were."""

SPOOL_TOTALS = ("committed", "dropped_spool_full")
"""Those of LEDGER_TOTALS that follow what becomes of spool files; the commit thread alone books them."""

LEDGER_HEAD = np.dtype(
    [
        ("batch_id", "<i8"),  # newest batch booked
        ("act", "<i8"),  # LedgerAct, the last one booked
        ("ring_slot", "<i8"),  # all before it is committed
        ("ring_bulk", "<i8"),
        ("committed_at", "<i8"),  # ns since 1970
        ("withheld", "<i8"),  # channels with a value waiting for their interval to end
        *((name, "<i8") for name in LEDGER_TOTALS),
    ]
)
LEDGER = np.dtype(
    [
        ("generation", "<u4"),
        ("gap", "u1"),  # Reason of the open gap, 0 = none
        ("withheld", "u1"),  # 1: the fields w_* hold a value that waits for its interval to end
        ("seen", "u1"),  # 1: last_* are valid
        ("labelled", "u1"),  # 1: last_label is what the store knows
        ("gap_start", "<i8"),  # ns since 1970
        ("received", "<i8"),
        ("generated", "<i8"),
        ("filtered", "<i8"),
        ("committed", "<i8"),  # samples handed to the spool
        *((name, "<i8") for name in DROPS),
        ("late", "<i8"),  # updates older than the one before
        ("bad_time", "<i8"),  # updates whose stamp was unusable
        # what the sampler must remember: the last update seen, the last sample written
        ("last_stamp", "<i8"),  # IOC stamp of the last update
        ("last_bits", "<u8"),  # its value, bit for bit (CRC for text and arrays)
        ("last_alarm", "<u2"),  # its severity and status
        ("w_severity", "u1"),
        ("w_status", "u1"),
        ("last_label", "<i4"),  # enum index of the last label written
        ("last_time", "<i8"),  # time of the last sample written
        ("due", "<i8"),  # receive time from which the next sample may pass (ns)
        ("due_time", "<i8"),  # time of a sample from which it may pass, whenever it is received (ns)
        ("w_time", "<i8"),
        ("w_src_time", "<i8"),
        ("w_value", "<f8"),
        ("w_received", "<i8"),
        ("w_text", "S40"),
        ("w_kind", "u1"),
        ("w_dbr", "u1"),
        ("w_flags", "u1"),
        ("w_lost", "u1"),  # 1: a withheld array or long text, kept in the engine's memory only
        ("ring_lost", "<u4"),  # what the ring's counter of lost events of this row was when it was last looked at
        # the number that a dead band is measured from, and when a value was last archived; kept where a setting asks for them
        ("band_value", "<f8"),
        ("archived_at", "<i8"),  # receive time (ns) of the newest value archived
        ("band_alarm", "<u2"),  # severity and status of band_value
        ("band_known", "u1"),  # 1: band_value is valid
        ("bad_stamp", "u1"),  # 1: the last stamp was unusable
        ("alarm_told", "<u4"),  # 1 + severity and status that the store knows, 0 = it knows none
        ("bad_told_at", "<i8"),  # receive time (ns) of the last event that told so
        ("quota_base", "<i8"),  # receive time up to which the quota is used up (ns)
        ("quota_lag", "<i8"),  # receive time less sample time of the newest update that a quota judged (ns)
        *((told, "<i8") for told in TOLD),
    ]
)

DELIVERY_HEAD = np.dtype(
    [
        ("batch_id", "<i8"),  # newest batch booked
        ("floor", "<i8"),  # newest batch that was in the spool when the table was made: these are in no counter
        ("heartbeat", "<i8"),  # ns since 1970, of the db process
        ("state", "<i8"),  # ProcessState
        ("pid", "<i8"),
        ("store_state", "<i8"),  # StoreState
        ("stored", "<i8"),  # samples, in all
        ("rejected", "<i8"),
        ("batches", "<i8"),
        ("retries", "<i8"),
        ("last_write", "<i8"),  # ns since 1970
        ("write_time", "<f8"),  # s, the last one
        ("write_rate", "<f8"),  # samples/s, averaged over about 5 s
        ("lag", "<f8"),  # s from commit to acknowledgement, the last one
        ("spool_files", "<i8"),
        ("spool_bytes", "<i8"),
        ("spool_samples", "<i8"),  # without those of batches up to `floor`
        ("spool_oldest", "<i8"),  # ns since 1970, 0 = empty
        ("disk_free", "<f8"),  # part of the spool's disk that is free, 0..1
        ("damaged", "<i8"),  # spool files set aside
        ("store_damaged", "<i8"),  # files of the embedded store set aside
        ("quarantined", "<i8"),  # batches of which something is in the quarantine
        ("write_again", "<i8"),  # counter: the engine writes what readers need once more when it changes
        ("error", "S500"),  # the store's last refusal or failure; empty when all is well
        ("spool_error", "S120"),  # why the spool could not be read or written last; empty when it could
    ]
)
DELIVERY = np.dtype([("generation", "<u4"), ("pad", "V4"), ("stored", "<i8"), ("rejected", "<i8")])
