"""Which PVs of the archiver a site's alarm server should watch, and what an operator is told to do about each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """A PV in the alarm tree.

    latching: the alarm stays until it is acknowledged; for losses, which are over when they are seen.
    delay_s: it must last so long. filter: a formula of Phoebus; the alarm counts only where it is not 0.
    display: `.bob` file and macros as in a link, below the site's directory of displays.
    """

    pv: str
    description: str
    guidance: str
    display: str
    latching: bool = False
    annunciating: bool = True
    delay_s: int = 0
    filter: str = ""


@dataclass(frozen=True, slots=True)
class AlarmFolder:
    """PVs that belong together."""

    name: str
    entries: tuple[AlarmEntry, ...]


@dataclass(frozen=True, slots=True)
class WatchedGroup:
    """A group of channels of the archiver. channels: those that get entries of their own."""

    name: str
    channels: tuple[str, ...] = ()


def archiver_folders(prefix: str) -> tuple[AlarmFolder, ...]:
    """What is watched of the archiver as a whole."""
    main, database, channels = (f"{file}.bob?P={prefix}" for file in ("main", "database", "channels"))
    return (
        AlarmFolder("Running", _running(prefix, main)),
        AlarmFolder("Loss", _loss(prefix, database)),
        AlarmFolder("Delivery", _delivery(prefix, database)),
        AlarmFolder("Channels", _channels(prefix, main, channels)),
    )


def _running(prefix: str, main: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}State",
            "Archiver",
            "StateReason says what is wrong. Disconnected: the control IOC does not answer; collecting may well go on."
            " On its machine: archioc status, then the log of archioc run.",
            main,
            delay_s=15,
        ),
        AlarmEntry(
            f"{prefix}Engine:State",
            "Collecting process of the archiver",
            "INVALID: it has not answered for 5 s; it is started again by itself. Nothing that reached its ring is lost."
            " If it does not come back, the log of archioc run says why.",
            main,
            delay_s=15,
        ),
        AlarmEntry(
            f"{prefix}Writer:State",
            "Delivering process of the archiver",
            "INVALID: it has not answered for 5 s; it is started again by itself. Meanwhile samples wait in the spool.",
            main,
            delay_s=15,
        ),
        AlarmEntry(
            f"{prefix}AlarmServer:Heartbeat",
            "Alarm server of the site",
            "The alarm server has not put to this PV, its heartbeat_pv, for 30 s: no alarm of it can be trusted."
            " Look at the machine where alarm-server runs, and at Kafka.",
            main,
        ),
    )


def _loss(prefix: str, display: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}Dropped:LastMinute",
            "*Samples are being lost",
            "The PVs Dropped:... say for which reason. Spool full: bring the database back or give the spool more room."
            " Ring full: the disk of the state directory is too slow. Quota: archioc report names the channels.",
            display,
            latching=True,
        ),
        AlarmEntry(
            f"{prefix}Rejected:LastMinute",
            "*The database refuses samples",
            "Db:LastError has its words. archioc quarantine list shows what it refused; archioc quarantine retry sends it again.",
            display,
            latching=True,
        ),
        AlarmEntry(
            f"{prefix}Quarantine",
            "Refused samples are kept in quarantine",
            "archioc quarantine list shows them with the server's words; retry or export them. Removed ones end this alarm.",
            display,
            annunciating=False,
        ),
    )


def _delivery(prefix: str, display: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}Db:State",
            "Database of the archiver",
            "Unreachable: look at the database's machine. Denied: its token or password has changed."
            " Samples wait in the spool; Spool:FillPct says how long that can go on.",
            display,
            delay_s=30,
        ),
        AlarmEntry(
            f"{prefix}Spool:FillPct",
            "Spool of the archiver fills",
            "The database has been away or too slow for long. At 100 % samples are lost: bring it back, or raise spool.max_bytes.",
            display,
            delay_s=15,
        ),
        AlarmEntry(
            f"{prefix}Spool:OldestAge",
            "Samples wait for the database",
            "The database does not keep up, or an outage is being made good; WriteRate says which.",
            display,
            delay_s=60,
        ),
        AlarmEntry(
            f"{prefix}Disk:FreePct",
            "Disk of the archiver's spool fills",
            "Make room on the disk of the state directory; below spool.min_free samples are lost.",
            display,
            delay_s=15,
        ),
    )


def _channels(prefix: str, main: str, channels: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}DisconnectedPct",
            "Archived channels are not connected",
            "channels.bob with the filter state=Disconnected lists them. Many of one IOC: it is off. All: the network, or ca.addr_list.",
            channels,
            delay_s=60,
        ),
        AlarmEntry(
            f"{prefix}ClockSuspect",
            "Clock of the archiver's machine",
            "More than a fifth of the IOCs are ahead of it: look at its NTP. IOC time stamps are kept meanwhile.",
            main,
            delay_s=15,
        ),
        AlarmEntry(
            f"{prefix}BadTime:LastMinute",
            "Unusable time stamps from an IOC",
            "BadTime in the display of a channel counts them. Look at the clock of its IOC."
            " Records that were never processed give one each when they connect."
            " Values are archived with the time at which they came.",
            channels,
            annunciating=False,
            delay_s=60,
        ),
        AlarmEntry(
            f"{prefix}Shard:Foreign",
            "Channels of other shards stay here",
            "The configuration file does not name them, so no other shard knows of them; they are archived here."
            " Put them into the file that all shards have, then Apply on each.",
            main,
            annunciating=False,
            delay_s=60,
        ),
    )


def group_folder(prefix: str, group: WatchedGroup) -> AlarmFolder:
    """What is watched of one group; nothing of it counts while the group is switched off."""
    on = f"`{prefix}GRP:{group.name}:State` == 1"
    display = f"groups.bob?P={prefix}"
    whole = AlarmEntry(
        f"{prefix}GRP:{group.name}:Disconnected",
        f"Channels of group {group.name} are not connected",
        f"channels.bob with the filter group={group.name} state=Disconnected lists them.",
        display,
        annunciating=False,
        delay_s=60,
        filter=on,
    )
    each = tuple(
        AlarmEntry(
            f"{prefix}CH:{name}:Connected",
            f"{name} is not archived: not connected",
            "The channel's IOC is off, or has no such record any more.",
            f"channel.bob?P={prefix}&CH={name}",
            annunciating=False,
            delay_s=60,
            filter=on,
        )
        for name in group.channels
    )
    return AlarmFolder(group.name, (whole, *each))
