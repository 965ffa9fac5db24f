"""`python -m bench.control`: the control process with 100 000 channels: start, memory, commands, clients, and how long its loop is held up.

It exits with 1 when a figure is beyond its target.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bench.ca_load import RawCircuit
from bench.control_site import PREFIX, ControlSite, channel_name, control_site, memory_of

RESULT = Path(__file__).parent / "results" / "control.json"
ADDED, ADDED_AT_ONCE = 10_000, 1000
CONNECTED = 10_000
CLIENTS, SUBSCRIPTIONS = 50, 800
DEAF_SUBSCRIPTIONS = 11_000
PUT_PAUSE_S = 0.01
SETTLE_S = 1.0
LOAD_S = 60.0
"""Longest time for clients to have opened all they want."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. target: what it must not exceed, None for those that only inform; others lengthen wall times, not CPU times."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def met(self) -> bool:
        return self.target is None or self.value <= self.target


@dataclass(slots=True)
class Figures:
    """All results of a run."""

    all: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, target: float | None = None) -> None:
        """Keep one and tell the person who waits."""
        self.all.append(Figure(name, value, unit, target))
        sys.stderr.write(f"{name}: {value:.4g} {unit}\n")

    @contextmanager
    def loop(self, site: ControlSite, what: str) -> Iterator[None]:
        """Meanwhile, what holds up the loop of a watched process the longest."""
        begun = time.monotonic()
        yield
        time.sleep(SETTLE_S)
        found = site.callbacks_since(begun)
        # Where a callback and a collection within it are both noted, the callback holds both.
        self.add(f"loop held up, {what} (CPU)", 1e3 * max((one.cpu_s for one in found), default=0.0), "ms", 20.0)
        self.add(f"loop held up, {what} (wall)", 1e3 * max((one.wall_s for one in found), default=0.0), "ms")
        for one in sorted(found, key=lambda one: one.cpu_s, reverse=True)[:2]:
            sys.stderr.write(f"    {1e3 * one.cpu_s:.1f} ms by {one.name}\n")

    def puts(self, site: ControlSite, what: str, seconds: float, target: float | None = None) -> None:
        """Puts with completion, one after the other, each durable before it completes."""
        took = put_times(site, seconds)
        for percent, limit in ((50, None), (99, target)):
            self.add(f"put, {what} (p{percent})", 1e3 * float(np.percentile(took, percent)), "ms", limit)


def put_times(site: ControlSite, seconds: float) -> list[float]:
    """How long puts to the rate of the last channel took (s), for so long."""
    with site.client() as client:
        (rate,) = client.open([f"{PREFIX}CH:{channel_name(site.channels - 1)}:Rate"])
        took: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            took.append(client.put_number(rate, 1.0 + len(took) % 1000))
            time.sleep(PUT_PAUSE_S)
        return took


def value_pvs(count: int) -> list[str]:
    """The PV `Value` of the first so many channels."""
    return [f"{PREFIX}CH:{channel_name(number)}:Value" for number in range(count)]


@contextmanager
def clients(site: ControlSite, count: int, names: Sequence[str], *options: str) -> Iterator[subprocess.Popen[str]]:
    """Clients that monitor these PVs, in a process that is killed afterwards; once they have opened all of them."""
    listed = site.directory / "names"
    listed.write_text("\n".join(names))
    command = [sys.executable, "-m", "bench.ca_load", str(site.port), str(count), str(listed), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            if "opened" not in process.stdout.readline():
                raise SystemExit("the clients could not open their channels")
            yield process
        finally:
            process.kill()


def events_of(process: subprocess.Popen[str], seconds: float, meanwhile: Callable[[], object]) -> float:
    """Events a second that clients have received while something was done."""
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    meanwhile()
    last = first
    while last["at_s"] < first["at_s"] + seconds:
        last = json.loads(process.stdout.readline())
    return float((last["events"] - first["events"]) / (last["at_s"] - first["at_s"]))


def libca_connect_s(site: ControlSite, count: int) -> float:
    """How long libca takes to find and connect the PVs of so many channels (s)."""
    listed = site.directory / "connect"
    listed.write_text("\n".join(value_pvs(count)))
    command = [sys.executable, "-m", "bench.libca_connect", str(listed)]
    return float(subprocess.run(command, env=site.environment, check=True, capture_output=True, text=True, timeout=LOAD_S).stdout)


def add_channels(client: RawCircuit, count: int) -> float:
    """Add channels by puts of ADDED_AT_ONCE lines, about as many as one put to `Add` can carry; the seconds all of them took."""
    (add,) = client.open([f"{PREFIX}Add"])
    lines = [f"ADD:{number:05d} rate=1" if number % 100 == 0 else f"ADD:{number:05d}" for number in range(count)]
    return sum(client.put_text(add, "\n".join(lines[at : at + ADDED_AT_ONCE])) for at in range(0, count, ADDED_AT_ONCE))


def main() -> int:
    """Measure, print, write RESULT."""
    arguments = argparse.ArgumentParser(prog="bench.control", description="The control process with very many channels.")
    arguments.add_argument("--channels", type=int, default=100_000)
    arguments.add_argument("--seconds", type=float, default=8.0, help="how long puts are timed in each case")
    given = arguments.parse_args()
    figures = Figures()
    with control_site(given.channels, 2 * given.channels) as site:
        _measure_start(site, figures)
        _measure_clients(site, figures, given.seconds)
        _measure_commands(site, figures)
    _show(figures, given.channels)
    RESULT.parent.mkdir(exist_ok=True)
    content = {"cores": os.cpu_count(), "python": sys.version.split()[0], "channels": given.channels}
    RESULT.write_text(json.dumps(content | {"figures": [asdict(one) | {"met": one.met} for one in figures.all]}, indent=2) + "\n")
    return int(not all(one.met for one in figures.all))


def _measure_start(site: ControlSite, figures: Figures) -> None:
    figures.add("first answer, file read", site.start(), "s")
    figures.add("resident, file read", memory_of(site.pid).resident / 1e6, "MB", 150.0)
    site.stop()
    figures.add("first answer, from state.db", site.start(), "s", 3.0)
    memory = memory_of(site.pid)
    figures.add("resident, from state.db", memory.resident / 1e6, "MB", 150.0)
    for kind, size in asdict(memory).items():
        figures.add(f"of this {kind}", size / 1e6, "MB")
    # Before any other client, which would leave memory behind that these use.
    with clients(site, 1, value_pvs(CONNECTED)):
        held = memory_of(site.pid).anonymous - memory.anonymous
        figures.add("memory of a channel that a client has open and monitors", held / CONNECTED, "B")
    site.stop()


def _measure_clients(site: ControlSite, figures: Figures, seconds: float) -> None:
    with figures.loop(site, "start"):
        site.start(watched=True)
    figures.add(f"libca connects {CONNECTED} PVs", libca_connect_s(site, CONNECTED), "s", 2.0)
    figures.puts(site, "nobody else there", seconds / 2)
    with clients(site, CLIENTS, value_pvs(SUBSCRIPTIONS), "--same") as process, figures.loop(site, f"{CLIENTS * SUBSCRIPTIONS} events/s"):
        site.change(SUBSCRIPTIONS)
        name = f"{CLIENTS} clients x {SUBSCRIPTIONS} monitors at 1 Hz"
        events = events_of(process, seconds, lambda: figures.puts(site, name, seconds, 50.0))
        figures.add(f"events to {CLIENTS} clients", events, "1/s")
        site.change(0)
    with clients(site, 1, value_pvs(DEAF_SUBSCRIPTIONS)) as process:
        site.change(DEAF_SUBSCRIPTIONS)
        name = f"beside a client with {DEAF_SUBSCRIPTIONS} monitors at 1 Hz"
        events = events_of(process, seconds, lambda: figures.puts(site, name, seconds))
        figures.add("events to this client", events, "1/s")
        site.change(0)
    with figures.loop(site, "a deaf client and its death"):
        with clients(site, 1, value_pvs(DEAF_SUBSCRIPTIONS), "--deaf"):
            site.change(DEAF_SUBSCRIPTIONS)
            figures.puts(site, f"beside a deaf client with {DEAF_SUBSCRIPTIONS} monitors", seconds, 50.0)
            site.change(0)
        figures.puts(site, "after its death", seconds / 2)


def _measure_commands(site: ControlSite, figures: Figures) -> None:
    with site.client() as client:
        put, remove, apply = client.open([f"{PREFIX}{name}" for name in ("Set", "Remove", "Apply")])
        cases: tuple[tuple[str, Callable[[], float], float | None], ...] = (
            (f"Add of {ADDED} lines", lambda: add_channels(client, ADDED), 2.0),
            (f"Set of {site.channels} channels", lambda: client.put_text(put, f"SR:* rate=3 confirm={site.channels}"), None),
            (f"Remove of {ADDED} channels", lambda: client.put_text(remove, f"ADD:* confirm={ADDED}"), None),
            ("Apply of the same file", lambda: client.put_number(apply, 1), None),
            ("Apply, every channel changed", lambda: _apply_other(site, client, apply), None),
            (f"Remove of {site.channels} channels", lambda: client.put_text(remove, f"SR:* confirm={site.channels}"), None),
        )
        for name, carry_out, target in cases:
            with figures.loop(site, name):
                figures.add(name, carry_out(), "s", target)


def _apply_other(site: ControlSite, client: RawCircuit, apply: int) -> float:
    site.declare(range(site.channels), ", deadband: 0.5")
    return client.put_number(apply, 1)


def _show(figures: Figures, channels: int) -> None:
    table = Table("", title=f"The control process with {channels} channels", box=box.SIMPLE)
    for name in ("measured", "target", ""):
        table.add_column(name, justify="right")
    for one in figures.all:
        target = "" if one.target is None else f"<= {one.target:g} {one.unit}"
        table.add_row(one.name, f"{one.value:.4g} {one.unit}", target, "" if one.met else "MISSED")
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
