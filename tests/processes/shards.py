from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml

from archioc.core.ownership import owners_of
from archioc.core.registry import RegistryReader
from tests.processes.archiver import Archiver, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.waiting import wait_until


class Shards:
    """Archivers that share the channels of one file; on one machine each has a file of its own, with ports of its own.

    names: of the channels. ports: one for each that may ever run. None runs yet.
    """

    def __init__(
        self,
        directory: Path,
        ports: Sequence[int],
        prefix: str,
        ioc_ports: Sequence[int],
        repeater_port: int,
        names: Sequence[str],
        store: StoreBlock,
        count: int,
        handover_s: float,
    ) -> None:
        self.names, self.count = list(names), count
        self.archivers = [
            Archiver(
                directory / f"shard{index}",
                port,
                f"{prefix}{index}:",
                ioc_ports,
                repeater_port,
                names,
                store,
                more={
                    "archiver": {"name": "main-{shard}", "prefix": f"{prefix}{{shard}}:", "max_channels": len(names)},
                    "shard": {"index": index, "count": count, "handover": handover_s},
                },
            )
            for index, port in enumerate(ports)
        ]

    def owned(self, index: int) -> set[str]:
        """The channels of a shard."""
        owners = owners_of(self.names, self.count)
        return {self.names[row] for row in np.flatnonzero(owners == index)}

    def start(self, *indices: int) -> None:
        """Start some at once and wait until they have connected their channels."""
        for index in indices:
            self.archivers[index].launch()
        for index in indices:
            self.archivers[index].wait_running()
        self.wait_connected(*indices)

    def wait_connected(self, *indices: int) -> None:
        """Wait until these have connected all of their own channels, whatever they still hand over."""
        for index in indices:
            self.archivers[index].wait_connected(len(self.holds(index) | self.owned(index)), 120.0)

    def change_count(self, count: int) -> None:
        """Write it into the files of all; those that run do not follow yet."""
        self.count = count
        for one in self.archivers:
            content = yaml.safe_load(one.config.read_text())
            content["shard"]["count"] = count
            one.config.write_text(yaml.safe_dump(content, sort_keys=False))

    def apply(self, client: CaClient, *indices: int) -> None:
        """Have some follow their files, without a restart."""
        for index in indices:
            client.put(f"{self.archivers[index].prefix}Apply", 1, timeout_s=120.0)

    def leaving(self, client: CaClient, index: int) -> int:
        """How many channels a shard hands over."""
        value = client.get(f"{self.archivers[index].prefix}Shard:Leaving")
        assert isinstance(value, float)
        return int(value)

    def wait_handed_over(self, client: CaClient, *indices: int) -> None:
        """Wait until these hand over nothing any more."""
        for index in indices:
            wait_until(lambda index=index: self.leaving(client, index) == 0, 120, f"shard {index} has handed over", 0.2)  # type: ignore[misc]

    def holds(self, index: int) -> set[str]:
        """The channels in the registry of a shard."""
        registry = RegistryReader(self.archivers[index].directories.registry)
        try:
            return {channel.name for channel in registry.channels_since(0)[0]}
        finally:
            registry.close()

    def stop(self, *indices: int) -> None:
        """End some in order, side by side."""
        with ThreadPoolExecutor() as pool:
            assert list(pool.map(lambda index: self.archivers[index].stop(), indices)) == [0] * len(indices)

    def close(self) -> None:
        """End what runs."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Archiver.close, self.archivers))
