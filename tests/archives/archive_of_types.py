"""An archiver of every type of record, and how it comes to rest after each record has had its values."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.archiver import CLIENT_PRECISION_NS, Archiver, Blocks, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.type_table import DATABASE, TYPES

FOLLOWED = {"CALC": "AO", "CALCOUT": "AO", "SEL": "AO", "PRINTF": "AO", "COMPRESS": "AO", "SUBARRAY": "WDOUBLE"}
"""Records that are processed some time after another one has been put to."""


@dataclass(frozen=True, slots=True)
class ArchiveOfTypes:
    """archiver: runs, with all channels connected. names: of its channels, in the order of TYPES."""

    archiver: Archiver
    ioc: SoftIoc
    prefix: str
    names: list[str]

    def put_all(self, client: CaClient) -> None:
        """Put its values to every record, and wait until the store has what came of them and the spool is empty."""
        for row in TYPES:
            for value in row.puts:
                client.put(self.prefix + row.put_to, [*value, 0] if isinstance(value, bytes) else value)
        for follower, source in FOLLOWED.items():
            newest_ns = self.stamp_ns(client, source)
            wait_until(lambda name=follower, at=newest_ns: self.stamp_ns(client, name) >= at, PATIENCE_S, f"{follower} follows {source}")  # type: ignore[misc]
        self.archiver.wait_for_newest(client, {self.prefix + row.channel: self.prefix + row.name for row in TYPES if row.at_least})
        self.archiver.wait_for_empty_spool()

    def stamp_ns(self, client: CaClient, record: str) -> int:
        """When (ns) a record was last processed, or a little earlier."""
        return int(client.describe(f"{self.prefix}{record}.SEVR").time_s * 1e9) - CLIENT_PRECISION_NS


def start_archive_of_types(
    archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str, store: StoreBlock, more: Blocks | None = None
) -> ArchiveOfTypes:
    """Start its IOC and its archiver, and wait until all channels are connected."""
    ioc = softioc(DATABASE, f"P={prefix}")
    names = [prefix + row.channel for row in TYPES]
    made = archiver(names, [ioc.port], store, more=more)
    made.start(connected=len(names))
    return ArchiveOfTypes(made, ioc, prefix, names)
