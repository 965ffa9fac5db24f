from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.machine.python_module import python_module
from archioc.core.spool.batch import NO_BLOB, ChannelMeta, Kind, SampleFlag
from archioc.core.table.table import ChannelState, ProcessState
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from tests.processes.waiting import wait_until
from tests.unit.engine.rig import Archive

with_both = pytest.mark.parametrize("engine_process", ["python", "compiled"], indirect=True)
with_one = pytest.mark.parametrize("engine_process", [pytest.param("python", marks=pytest.mark.proof), "compiled"], indirect=True)
"""Where the callback matters little; the other one is for `make proof`."""

STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sample as it lies in the spool. value: a number, the bytes of a text, or the elements of an array."""

    time_ns: int
    value: float | bytes | list[float] | list[bytes]
    flags: SampleFlag
    label: bytes | None
    kind: Kind


class EngineProcess:
    """The real collector process, on a state directory of its own; the test is its ioc process, and nobody takes from its spool.

    ca: block `ca` of the configuration; environment: variables beside it. command: what starts it.
    """

    def __init__(
        self,
        directory: Path,
        ca: Mapping[str, object],
        environment: Mapping[str, str],
        rows: int = 64,
        ring_bytes: int = 16_000_000,
        command: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True)
        self.archive = Archive(directory / "state", rows, ring_bytes)
        self.log = directory / "engine.log"
        self._config = directory / "config.yml"
        content = {"archiver": {"state_dir": "./state"}, "ca": dict(ca), "spool": {"commit_interval": 0.1, "min_free": "1MB"}}
        self._config.write_text(yaml.safe_dump(content))
        self._command = command or python_module("archioc.engine")
        self._environment = with_variables(dict(environment))
        self._child: Child | None = None

    def start(self) -> None:
        """Start it and wait until it collects."""
        self.archive.table.settings.head["state"] = ProcessState.RUNNING
        command = [*self._command, str(self._config), "--parent", str(os.getpid())]
        self._child = Child("engine", command, self.log, self._environment)
        self._child.wait_for_output("collecting", 60.0)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._child is not None
        return self._child.stop(STOP_S)

    def close(self) -> None:
        """End what runs."""
        if self._child is not None:
            self._child.stop(STOP_S)
        self.archive.close()

    # -- what it tells -------------------------------------------------------------------------

    def state(self, name: str) -> tuple[ChannelState, str]:
        """State and reason of a channel."""
        status = self.archive.table.status.cells[self.archive.registry.channels[name].row]
        return ChannelState(int(status["state"])), bytes(status["reason"]).decode()

    def shown_text(self, name: str) -> bytes:
        """The text in the status block."""
        return bytes(self.archive.table.status.cells["text"][self.archive.registry.channels[name].row])

    def wait_for_state(self, name: str, wanted: ChannelState, timeout_s: float = 60.0) -> None:
        """Wait until a channel is in this state. Raises TimeoutError."""
        wait_until(lambda: self.state(name)[0] is wanted, timeout_s, f"{name} is {wanted.name}, log: {self.log}")

    def wait_for_samples(self, name: str, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many true samples of a channel are in the spool. Raises TimeoutError."""
        wait_until(lambda: len(self.true(name)) >= count, timeout_s, f"{count} samples of {name}, log: {self.log}", 0.1)

    def samples(self, name: str) -> list[Sampled]:
        """All samples of a channel in the spool, in the order of arrival."""
        found = []
        for batch in self.archive.published():
            rows = [row for row, one in batch.names.items() if one == name]
            for one in batch.samples[np.isin(batch.samples["row"], rows)]:
                blob = None if one["blob"] == NO_BLOB else batch.blobs[one["blob"]]
                found.append(_sampled(one, blob))
        return found

    def numbers(self) -> dict[str, list[float]]:
        """Numbers of all channels that are no generated samples, in the order of arrival."""
        found: dict[str, list[float]] = {}
        for batch in self.archive.published():
            true = (batch.samples["flags"] & SampleFlag.GENERATED == 0) & (batch.samples["kind"] == Kind.NUMBER)
            for row, value in zip(*(batch.samples[field][true].tolist() for field in ("row", "value")), strict=True):
                found.setdefault(batch.names[row], []).append(value)
        return found

    def true(self, name: str) -> list[Sampled]:
        """Those that are no generated ones."""
        return [one for one in self.samples(name) if not one.flags & SampleFlag.GENERATED]

    def values(self, name: str) -> list[object]:
        """The values of these."""
        return [one.value for one in self.true(name)]

    def has_last(self, seen: Mapping[str, Sequence[float]]) -> bool:
        """Whether of each counter what another client saw last has come to the spool."""
        numbers = self.numbers()
        return all(name in numbers and numbers[name][-1] >= values[-1] for name, values in seen.items())

    def missing_of(self, seen: Mapping[str, Sequence[float]]) -> list[str]:
        """Counters of which it has not all that another client saw, one after the other."""
        numbers, found = self.numbers(), []
        for name, values in seen.items():
            stored = numbers[name]
            if values[0] not in stored or stored[stored.index(values[0]) :][: len(values)] != values:
                found.append(name)
        return found

    def events(self, name: str, reason: Reason) -> list[ChannelEvent]:
        """What was told of a channel for one reason."""
        return [one for batch in self.archive.published() for one in batch.events if (one.channel, one.reason) == (name, reason)]

    def metas(self, name: str) -> list[ChannelMeta]:
        """The history of a channel's metadata."""
        return [one for batch in self.archive.published() for one in batch.metas if one.channel == name]

    def check_conservation(self) -> None:
        """To be called when it has stopped: every update of every channel has an account."""
        for cell in self.archive.table.ledger.cells:
            lost = cell["dropped_overflow"] + cell["dropped_spool_full"] + cell["dropped_quota"]
            assert cell["received"] + cell["generated"] == cell["filtered"] + cell["committed"] + lost
            assert cell["withheld"] == 0


def _sampled(one: np.void, blob: bytes | None) -> Sampled:
    kind, flags = Kind(int(one["kind"])), SampleFlag(int(one["flags"]))
    value: float | bytes | list[float] | list[bytes] = float(one["value"])
    if kind is Kind.TEXT:
        assert blob is not None
        value = blob
    elif kind is Kind.ARRAY:
        assert blob is not None
        value = np.frombuffer(blob, "<f8" if flags & SampleFlag.STATISTICS else ELEMENT_DTYPE[Dbr(int(one["dbr"]))]).tolist()
    assert kind in {Kind.NUMBER, Kind.ENUM} or math.isnan(float(one["value"]))
    return Sampled(int(one["time"]), value, flags, blob if kind is Kind.ENUM else None, kind)


def on_servers(ports: Sequence[int], repeater_port: int) -> dict[str, str]:
    """The environment of an engine that is to find the servers on these ports."""
    return client_variables(ports, repeater_port)
