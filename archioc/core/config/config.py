"""The configuration: one frozen object per file, read by `archioc.core.config.file`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationInfo, WithJsonSchema, field_validator

from archioc.core.config.access import Access
from archioc.core.config.channels import ChannelList, Group, Policy
from archioc.core.config.http import Http
from archioc.core.config.shard_block import ShardBlock
from archioc.core.config.store import Store
from archioc.core.config.value_types import (
    Block,
    Duration,
    EmptyAsList,
    EmptyAsMapping,
    FilePath,
    HostPort,
    Ipv4,
    Name,
    NotEmpty,
    Port,
    Size,
    at_least,
    between,
    spelled,
)
from archioc.core.shard import ALONE, Shard

_PREFIX = r"[A-Za-z0-9_:;<>\[\]-]{1,40}"
Prefix = Annotated[
    str,
    spelled(_PREFIX, "1 to 40 letters, digits and _ - : ; < > [ ]"),
    WithJsonSchema({"type": "string", "pattern": r"^([A-Za-z0-9_:;<>\[\]-]|\{shard\}){1,40}$"}),
]
_ArchiverName = Annotated[Name, WithJsonSchema({"type": "string", "pattern": r"^([A-Za-z0-9_-]|\{shard\}){1,40}$"})]


class LogLevel(StrEnum):
    """The least important messages that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a message is written."""

    AUTO = "auto"
    HUMAN = "human"
    JSON = "json"


class WhenFull(StrEnum):
    """What a full spool gives up."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class Callback(StrEnum):
    """Which form of the event callback collects."""

    AUTO = "auto"
    COMPILED = "compiled"
    PYTHON = "python"


class Archiver(Block):
    """The archiver as a whole."""

    name: _ArchiverName = "main"
    """Name of this archiver among others that share a store: letters, digits, `-` and `_`, at most 40."""

    prefix: Prefix = "ARCH:"
    """Start of the names of all its PVs: letters, digits and `_ - : ; < > [ ]`, at most 40."""

    state_dir: FilePath = Path("state")
    """Directory for what must outlive a restart: registry, spool, embedded store."""

    run_dir: FilePath | None = None
    """Directory for what lives as long as the archiver runs; left out: chosen at start, in memory where the system has such a place."""

    group: str | None = None
    """Group of the operating system whose members may read the archive with the command line; left out: only the archiver's user may."""

    max_channels: Annotated[int, Field(ge=1, le=2_000_000)] = 200_000
    """Most channels that can be archived, 1 to 2 000 000."""

    ring_bytes: Annotated[Size, at_least(1_000_000, "bytes")] = 64_000_000
    """Room between the Channel Access callback and the sampler (size, at least 1MB; plain numbers are bytes)."""


class Ioc(Block):
    """Our own Channel Access server."""

    interfaces: Annotated[tuple[Ipv4, ...], NotEmpty, EmptyAsList] = ("0.0.0.0",)  # noqa: S104 - an IOC serves its network; writing is guarded by `access`
    """IPv4 addresses to serve on; 0.0.0.0 means all."""

    port: Port = 5064
    """TCP and UDP port, 1 to 65535."""

    beacon_addr_list: Annotated[tuple[HostPort, ...], EmptyAsList] = ()
    """Where to send beacons, `host` or `host:port`; empty: none are sent."""


class Ca(Block):
    """The Channel Access client that collects; where a key is left out, the environment (EPICS_CA_...) holds."""

    addr_list: Annotated[tuple[HostPort, ...], EmptyAsList] | None = None
    """Where to search for channels, `host` or `host:port` (EPICS_CA_ADDR_LIST)."""

    auto_addr_list: bool | None = None
    """Also search on every network of this machine (EPICS_CA_AUTO_ADDR_LIST)."""

    server_port: Port | None = None
    """Port of servers where the address list names none, 1 to 65535 (EPICS_CA_SERVER_PORT)."""

    repeater_port: Port | None = None
    """Port of the CA repeater, 1 to 65535 (EPICS_CA_REPEATER_PORT)."""

    max_array_bytes: Annotated[Size, at_least(16384, "bytes")] | None = None
    """Largest value that is taken (size, at least 16384; plain numbers are bytes); left out: no limit (EPICS_CA_MAX_ARRAY_BYTES)."""

    name_servers: Annotated[tuple[HostPort, ...], EmptyAsList] | None = None
    """CA name servers, `host` or `host:port` (EPICS_CA_NAME_SERVERS)."""

    conn_tmo: Annotated[Duration, between(1, 3600, "s")] | None = None
    """How long a server may be silent before its channels count as disconnected (duration, 1s to 1h) (EPICS_CA_CONN_TMO)."""

    max_search_period: Annotated[Duration, between(60, 86400, "s")] | None = None
    """Longest time between two searches for a channel that nobody serves (duration, 60s to 1d) (EPICS_CA_MAX_SEARCH_PERIOD)."""

    max_past: Annotated[Duration, between(60, 10 * 365 * 86400, "s")] = 3600.0
    """A value that comes live with a stamp further in the past gets the receive time (duration, 1min to 10y)."""

    callback: Callback = Callback.AUTO
    """What takes the values from libca: `compiled` (C), `python`, or `auto`: the compiled one where it could be built."""

    def environment(self) -> dict[str, str]:
        """The EPICS_CA_ variables for the keys that are given."""
        written = {
            "EPICS_CA_ADDR_LIST": None if self.addr_list is None else " ".join(self.addr_list),
            "EPICS_CA_AUTO_ADDR_LIST": None if self.auto_addr_list is None else ("YES" if self.auto_addr_list else "NO"),
            "EPICS_CA_SERVER_PORT": self.server_port,
            "EPICS_CA_REPEATER_PORT": self.repeater_port,
            "EPICS_CA_MAX_ARRAY_BYTES": self.max_array_bytes,
            "EPICS_CA_AUTO_ARRAY_BYTES": None if self.max_array_bytes is None else "YES",  # we tell what is left out, libca would not
            "EPICS_CA_NAME_SERVERS": None if self.name_servers is None else " ".join(self.name_servers),
            "EPICS_CA_CONN_TMO": self.conn_tmo,
            "EPICS_CA_MAX_SEARCH_PERIOD": self.max_search_period,
        }
        return {name: str(value) for name, value in written.items() if value is not None}


class Log(Block):
    """The log."""

    level: LogLevel = LogLevel.INFO
    """Least important messages that are written: `debug`, `info`, `warning` or `error`."""

    format: LogFormat = LogFormat.AUTO
    """`human`, `json`, or `auto`: human on a terminal, JSON otherwise."""


class Spool(Block):
    """Samples on disk between collecting and archiving."""

    max_bytes: Annotated[Size, at_least(1_000_000, "bytes")] = 20_000_000_000
    """Most room for it (size, at least 1MB; plain numbers are bytes)."""

    min_free: Size = 1_000_000_000
    """Room to leave free on its disk (size; plain numbers are bytes)."""

    when_full: WhenFull = WhenFull.DROP_OLDEST
    """What to give up when a limit is reached: `drop_oldest` or `drop_newest`."""

    commit_interval: Annotated[Duration, between(0.05, 10, "s")] = 0.5
    """Longest time until collected samples are on disk (duration, 0.05s to 10s; plain numbers are seconds)."""

    commit_samples: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Samples that are written to disk before `commit_interval` is over, 1 to 1 000 000."""

    keep_delivered: Annotated[Duration, between(0, 7 * 86400, "s")] = 3600.0
    """How long batches that an InfluxDB has acknowledged are kept, to be sent again if it loses them (duration, 0 to 7d; 0: not kept)."""

    keep_delivered_bytes: Size = 2_000_000_000
    """Most room for them, beside `max_bytes` (size; plain numbers are bytes)."""


class Config(Block):
    """A configuration file; paths are absolute."""

    # These two are made anew for each file, because their default paths depend on where it lies.
    archiver: Archiver = Field(default={}, validate_default=True)
    """The archiver as a whole."""

    shard: ShardBlock | None = None
    """One of several archivers with the same file, each of which takes its part of the channels; left out: it stands alone."""

    ioc: Ioc = Ioc()
    """Our own Channel Access server."""

    ca: Ca = Ca()
    """The Channel Access client that collects; where a key is left out, the environment (EPICS_CA_...) holds."""

    http: Http = Http()
    """Reading the archive over HTTP; whoever reaches the address may read."""

    log: Log = Log()
    """The log."""

    store: Store = Field(default={}, validate_default=True)
    """Where samples are archived: an InfluxDB server or the embedded store (default)."""

    spool: Spool = Spool()
    """Samples on disk between collecting and archiving."""

    access: Access = Access()
    """Who may write; reading is free."""

    policies: Annotated[tuple[Policy, ...], EmptyAsList] = ()
    """Settings for channels by their name; the first policy that matches a name holds for it, alone."""

    groups: Annotated[dict[Name, Group], EmptyAsMapping] = Field(default={}, validate_default=True)
    """Channels that belong together, by the name of the group (letters, digits, `-` and `_`, at most 40)."""

    channels: ChannelList = ()
    """Channels to archive that are in no group: names, or mappings with `pv` and settings."""

    _path: Path = PrivateAttr(default=Path())
    _own_shard: Shard = PrivateAttr(default=ALONE)

    def model_post_init(self, context: Any, /) -> None:
        """Keep the path of the file and the prefix as it is written there, which the reader hands over beside its content."""
        self._path = context["path"]
        if self.shard is not None:
            self._own_shard = Shard(self.shard.index, self.shard.count, self.shard.handover, context["prefix"])

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self._path

    @property
    def own_shard(self) -> Shard:
        """This archiver among the shards; without the block `shard` it is the only one."""
        return self._own_shard

    @field_validator("store", mode="after")
    @classmethod
    def _place_embedded_store(cls, store: Store, info: ValidationInfo) -> Store:
        archiver = info.data.get("archiver")
        return store.with_embedded_in(archiver.state_dir) if archiver is not None else store
