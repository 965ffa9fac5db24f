"""Which PVs of the archiver a site's alarm server should watch, and what an operator is told to do about each."""

from __future__ import annotations

from dataclasses import dataclass

from archioc.opi.display_links import DEFAULT_DISPLAYS, link

RESTART_S = 30
"""Longer than a process takes to come back after it was killed, and its clients to find it: no entry shows a restart."""

LOSS_S = 45
"""A loss lasts for 60 s in its PV. libca sees a stopped IOC after 30 to 35 s, so one that stands still for a minute is no loss."""


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """A PV in the alarm tree.

    latching: the alarm stays until it is acknowledged; for losses, which are over when they are seen.
    annunciating: the alarm is spoken; only the first sign of a cause is, what follows from it is listed.
    delay_s: it must last so long. filter: a formula of Phoebus; the alarm counts only where it is more than 0.
    display: link to the display where an operator sees more.
    """

    pv: str
    description: str
    guidance: str
    display: str
    latching: bool = False
    annunciating: bool = True
    delay_s: int = RESTART_S
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


def archiver_folders(prefix: str, displays: str = DEFAULT_DISPLAYS) -> tuple[AlarmFolder, ...]:
    """What is watched of the archiver as a whole. displays: URL of their directory."""
    main, database, channels = (link(displays, f"{name}.bob", P=prefix) for name in ("main", "database", "channels"))
    return (
        AlarmFolder("Running", _running(prefix, main)),
        AlarmFolder("Loss", _loss(prefix, database)),
        AlarmFolder("Delivery", _delivery(prefix, database)),
        AlarmFolder("Channels", _channels(prefix, main, channels)),
    )


def reachable(prefix: str) -> str:
    """A filter: the control IOC is connected. Where it is not, `State` alone is in alarm (NaN is never >= 0)."""
    return f"`{prefix}State` >= 0"


def known(prefix: str) -> str:
    """A filter: the control IOC is connected and no process is silent (`State` below Fault), so that the PV is what it says."""
    return f"`{prefix}State` < 3"


def _running(prefix: str, main: str) -> tuple[AlarmEntry, ...]:
    restarted = "It is restarted by itself, and nothing that reached its ring is lost. Where it does not come back: the log of archioc run."
    return (
        AlarmEntry(
            f"{prefix}State",
            "Archiver",
            "The title bar of the display says why. Degraded: open Database. Fault: a process is silent; it is restarted by itself."
            " Disconnected: the control IOC does not answer; collecting may go on."
            " On its machine: archioc status, then the log of archioc run.",
            main,
        ),
        AlarmEntry(
            f"{prefix}Engine:State",
            "Collecting process of the archiver",
            f"Processes, Engine: it has not answered for 5 s. {restarted}",
            main,
            annunciating=False,
            filter=reachable(prefix),
        ),
        AlarmEntry(
            f"{prefix}Writer:State",
            "Delivering process of the archiver",
            f"Processes, Writer: it has not answered for 5 s. Samples wait in the spool meanwhile. {restarted}",
            main,
            annunciating=False,
            filter=reachable(prefix),
        ),
        AlarmEntry(
            f"{prefix}AlarmServer:Heartbeat",
            "Alarm server of the site",
            "The alarm server has not put to this PV, its heartbeat_pv, for 30 s: no alarm of it can be trusted."
            " Look at the machine where alarm-server runs, and at Kafka.",
            main,
            filter=reachable(prefix),
        ),
    )


def _loss(prefix: str, display: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}Dropped:LastMinute",
            "*Samples are being lost",
            "Lost, on the display, says for which reason. Spool full: bring the database back or give the spool more room."
            " Ring full: the disk of the state directory is too slow. Quota: archioc report names the channels.",
            display,
            latching=True,
            delay_s=LOSS_S,
        ),
        AlarmEntry(
            f"{prefix}Rejected:LastMinute",
            "*The database refuses samples",
            "Last error of the store, on the display, has its words. archioc quarantine list shows what it refused;"
            " archioc quarantine retry sends it again.",
            display,
            latching=True,
            delay_s=LOSS_S,
        ),
        AlarmEntry(
            f"{prefix}Quarantine",
            "Refused samples are kept in quarantine",
            "archioc quarantine list shows them with the server's words; retry or export them. Removed ones end this alarm.",
            display,
            annunciating=False,
            filter=known(prefix),
        ),
    )


def _delivery(prefix: str, display: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}Db:State",
            "Database of the archiver",
            "Unreachable: look at the database's machine. Denied: its token or password has changed."
            " Degraded: archioc check says what the database has lost, or what waits for another one."
            " Samples wait in the spool; Spool fill, on the display, says for how long that can go on.",
            display,
            annunciating=False,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}Spool:FillPct",
            "Spool of the archiver fills",
            "The database has been away or too slow for long. At 100 % samples are lost: bring it back, or raise spool.max_bytes.",
            display,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}Spool:OldestAge",
            "Samples wait for the database",
            "The database does not keep up, or an outage is being made good; Stored, on the display, says which.",
            display,
            annunciating=False,
            delay_s=60,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}Disk:FreePct",
            "Disk of the archiver's spool fills",
            "Make room on the disk of the state directory; below spool.min_free samples are lost.",
            display,
            filter=known(prefix),
        ),
    )


def _channels(prefix: str, main: str, channels: str) -> tuple[AlarmEntry, ...]:
    return (
        AlarmEntry(
            f"{prefix}DisconnectedPct",
            "Archived channels are not connected",
            "Put state=Disconnected into Filter. Many of one IOC: it is off. All: the network, or ca.addr_list.",
            channels,
            delay_s=60,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}ClockSuspect",
            "Clock of the archiver's machine",
            "More than a fifth of the IOCs are ahead of it: look at its NTP. IOC time stamps are kept meanwhile.",
            main,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}BadTime:LastMinute",
            "Unusable time stamps from an IOC",
            "Bad time, beside the selected channel, counts them. Look at the clock of its IOC."
            " Records that were never processed give one each when they connect."
            " Values are archived with the time at which they came.",
            channels,
            annunciating=False,
            filter=known(prefix),
        ),
        AlarmEntry(
            f"{prefix}Shard:Foreign",
            "Channels of other shards stay here",
            "The configuration file does not name them, so no other shard knows of them; they are archived here."
            " Put them into the file that all shards have, then Add and remove, Apply on each.",
            main,
            annunciating=False,
            delay_s=60,
            filter=known(prefix),
        ),
    )


def group_folder(prefix: str, group: WatchedGroup, displays: str = DEFAULT_DISPLAYS) -> AlarmFolder:
    """What is watched of one group; nothing of it counts while the group is switched off, or a process of the archiver is silent."""
    on = f"`{prefix}GRP:{group.name}:State` == 1 && {known(prefix)}"
    whole = AlarmEntry(
        f"{prefix}GRP:{group.name}:Disconnected",
        f"Channels of group {group.name} are not connected",
        f"Missing counts them. Show lists the channels; put group={group.name} state=Disconnected into Filter.",
        link(displays, "groups.bob", P=prefix),
        annunciating=False,
        delay_s=60,
        filter=on,
    )
    each = tuple(
        AlarmEntry(
            f"{prefix}CH:{name}:Connected",
            f"{name} is not archived: not connected",
            "The channel's IOC is off, or has no such record any more.",
            link(displays, "channel.bob", P=prefix, CH=name),
            annunciating=False,
            delay_s=60,
            filter=on,
        )
        for name in group.channels
    )
    return AlarmFolder(group.name, (whole, *each))
