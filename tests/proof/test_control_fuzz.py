"""Hostile clients: puts of any kind, and bytes that are no Channel Access."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from archioc.cli.channels.channels import ChannelFilter, list_channels
from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import Opened, RawConnection
from tests.processes.resources import resources_of
from tests.processes.waiting import wait_until
from tests.proof.control_model import BLOCKS, ControlModel
from tests.proof.control_puts import Attempt, ControlPuts
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

SEED_VARIABLE = "ARCHIOC_FUZZ_SEED"
CONNECTIONS = 4
LONGEST_BATCH = 60
CHECKS = 20
ACTING = 0.2
GROWTH_BYTES = 12_000_000
"""What the allocator keeps and clients with pipelines come and go with; a byte kept of each of 80 000 puts would be less."""
SILENCE_S = 15.0
VANDAL = "127.0.0.3"
NEVER_IN_THE_LOG = ("Traceback", "Unhandled", "exception", '"level": "error"', '"level": "critical"', "never retrieved")


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, BLOCKS)
    made.start()
    made.table.status.head["flush_done"][0] = 10**9  # an engine that has committed all that is asked for
    yield made
    made.close()


def test_hostile_clients(control: ControlProcess, tmp_path: Path, prefix: str) -> None:
    """After each of many thousand puts of any kind the archive is what the model says, durable and audited; all the while it serves others.

    Between the puts clients read, subscribe and go without a word, and both ports get bytes that are no Channel Access.
    """
    seed = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().randrange(10**9)))
    print(f"{SEED_VARIABLE}={seed}")
    fuzz = Fuzz(control, tmp_path, prefix, random.Random(seed))
    with contextlib.closing(fuzz), Watcher(control.port, prefix) as watcher:
        wanted, checked, warm = counts().hostile_puts, 0, 0
        while fuzz.put < wanted:
            fuzz.batch()
            if fuzz.put * CHECKS // wanted > checked:
                checked = fuzz.put * CHECKS // wanted
                fuzz.check()
                if checked == CHECKS // 5:
                    warm = resources_of(control.pid).memory
    assert resources_of(control.pid).memory < warm + GROWTH_BYTES
    assert watcher.longest_s < SILENCE_S
    assert len(watcher.beats) > 1
    assert fuzz.acted > ACTING * fuzz.put
    fuzz.apply(prune=False)
    fuzz.apply(prune=True)
    wait_until(lambda: fuzz.audited() == fuzz.to_be_audited, 60, f"{fuzz.to_be_audited} puts are audited, not {fuzz.audited()}")
    assert control.stop() == 0
    assert not [line for line in control.log().splitlines() if any(word in line for word in NEVER_IN_THE_LOG)]
    control.start()
    fuzz.check()


@dataclass
class Client:
    """One of the connections, and the channels that it has open by name."""

    connection: RawConnection
    opened: dict[str, Opened] = field(default_factory=dict)


class Fuzz:
    """put, acted, to_be_audited: how many so far."""

    def __init__(self, control: ControlProcess, directory: Path, prefix: str, draw: random.Random) -> None:
        self._control, self._config, self._prefix, self._draw = control, directory / "config.yml", prefix, draw
        self._model = ControlModel()
        self._puts = ControlPuts(draw, self._model)
        self._clients = [Client(RawConnection(control.port, f"user{at}")) for at in range(CONNECTIONS)]
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.put = self.acted = self.to_be_audited = 0

    def close(self) -> None:
        for client in self._clients:
            client.connection.abort()
        self._datagrams.close()

    def batch(self) -> None:
        """Puts of one client, sent in one go together with other requests, and what must have become of them."""
        draw = self._draw
        self._puts.begin_batch()
        attempts = [self._puts.attempt() for _ in range(draw.randrange(1, LONGEST_BATCH))]
        at = draw.randrange(CONNECTIONS)
        client = self._clients[at]
        self._open(client, [attempt.pv for attempt in attempts])
        number = client.connection.numbers
        sent: list[tuple[int, Attempt]] = []
        requests = []
        for attempt in attempts:
            ioid, written, sid = next(number), attempt.written, client.opened[attempt.pv].sid
            sent.append((ioid, attempt))
            notify = draw.random() < 0.7
            requests.append(frames.put(sid, written.data_type, written.count, written.payload, ioid, notify=notify))
            requests.append(self._other_request(client))
        leaves = draw.random() < 0.05
        if leaves:
            answers = client.connection.finish(b"".join(requests))
            self._clients[at] = Client(RawConnection(self._control.port, f"user{draw.randrange(9)}"))
        else:
            last = next(number)
            requests.append(frames.put(client.opened["HEARTBEAT"].sid, frames.LONG, 1, bytes(8), last))
            self.put, self.to_be_audited = self.put + 1, self.to_be_audited + 1
            answers = client.connection.ask(b"".join(requests), last)
        for ioid, attempt in sent:
            answer = answers.puts.get(ioid, "")
            assert (answer == "") is attempt.done, f"{attempt} after {self.put} puts: {answer!r}"
            self.acted += attempt.done
            self.to_be_audited += attempt.audited
        self.put += len(sent)
        self._control.let_rows_go()
        self._forget_removed()
        self._disturb()

    def _open(self, client: Client, names: list[str]) -> None:
        wanted = [name for name in dict.fromkeys(["HEARTBEAT", *names]) if name not in client.opened]
        for name, channel in zip(wanted, client.connection.open(self._prefix + name for name in wanted), strict=True):
            assert channel is not None, name
            client.opened[name] = channel

    def _other_request(self, client: Client) -> bytes:
        """A read, a subscription or nothing, right or wrong, to something that the client has open; it changes nothing."""
        draw = self._draw
        chance = draw.random()
        channel = draw.choice(list(client.opened.values()))
        data_type, count = draw.choice((draw.randrange(40), channel.data_type)), draw.choice((0, 1, channel.count, 2**31))
        if chance < 0.1:
            return frames.read(channel.sid, data_type, count, 0)
        if chance < 0.2:
            return frames.subscribe(channel.sid, data_type, count, draw.randrange(50), draw.randrange(16))
        if chance < 0.25:
            return frames.frame(frames.EVENT_CANCEL, b"", data_type, 0, channel.sid, draw.randrange(50))
        if chance < 0.3:
            return frames.put(draw.randrange(2**31, 2**32), data_type, 1, bytes(8), 0) + frames.frame(frames.ECHO)
        return b""

    def _forget_removed(self) -> None:
        for client in self._clients:
            for name in [name for name in client.opened if name.startswith("CH:")]:
                if name[3:].rpartition(":")[0] not in self._model.channels:
                    del client.opened[name]

    def _disturb(self) -> None:
        """Bytes from another address: anything, and messages with some bytes changed."""
        draw = self._draw
        for _ in range(draw.randrange(3)):
            self._datagrams.sendto(self._noise(), ("127.0.0.1", self._control.port))
        if draw.random() < 0.3:
            vandal = RawConnection(self._control.port, source=VANDAL)
            with contextlib.suppress(OSError):  # it is thrown out, as it should be
                vandal.send(self._noise())
            vandal.abort()

    def _noise(self) -> bytes:
        draw = self._draw
        names = [f"{self._prefix}{name}".encode() for name in ("HEARTBEAT", "State", "Version", "Result")]
        right = b"".join(
            draw.choice(
                (
                    frames.create(draw.choice(names), 1),
                    frames.search(draw.choice(names), 2),
                    frames.read(1, draw.randrange(40), 1, 3),
                    frames.subscribe(1, 6, 1, 4, 1),
                    frames.put(1, 6, 1, bytes(8), 5),
                    frames.clear(1, 1),
                    frames.extended_header(draw.randrange(30), draw.randrange(2**32), 4, draw.randrange(2**32), 1, 1),
                )
            )
            for _ in range(draw.randrange(1, 8))
        )
        if draw.random() < 0.3:
            return draw.randbytes(draw.randrange(1, 2000))
        changed = bytearray(right)
        for _ in range(draw.randrange(8)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        return bytes(changed)

    def apply(self, *, prune: bool) -> None:
        """Have the file followed again, which brings back what was removed of it."""
        with RawConnection(self._control.port) as connection:
            (channel,) = connection.open([f"{self._prefix}Apply"])
            assert channel is not None
            assert connection.put(channel, frames.LONG, 1, frames.encoded([3 if prune else 1], frames.LONG)) == ""
        self.to_be_audited += 1
        self._model.apply(prune=prune)
        self.check()

    def check(self) -> None:
        """The archive, as the command line lists it, as the engine sees it, and as its PVs show it, is that of the model."""
        output, model = io.StringIO(), self._model
        with contextlib.redirect_stdout(output):
            list_channels(self._config, ChannelFilter(), "json", why=False)
        wanted = {name: model.settings(name) for name in model.channels}
        found = {document["name"]: document["settings"] for document in json.loads(output.getvalue())}
        assert found == wanted
        self._check_table()
        self._check_pvs()
        database = sqlite3.connect(self._control.directories.registry)
        (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
        database.close()
        assert verdict == "ok"

    def _check_table(self) -> None:
        cells = self._control.table.settings.cells[self._control.used_rows()]
        columns = ("enable", "rate", "deadband", "deadband_pct", "max_interval", "quota", "max_elements")
        wanted = sorted(tuple(float(settings[name]) for name in columns) for settings in map(self._model.settings, self._model.channels))
        assert sorted(tuple(float(cell[name]) for name in columns) for cell in cells) == wanted
        assert int(self._control.table.settings.head["flush"][0]) == self._model.flushes

    def _check_pvs(self) -> None:
        model = self._model
        with RawConnection(self._control.port) as connection:
            names = [f"{self._prefix}{pv}.{field}" for pv, field in model.limits]
            groups = [f"{self._prefix}GRP:{name}:{field}" for name in model.groups for field in ("Enable", "Condition")]
            for name, channel, number in zip(names, connection.open(names), model.limits.values(), strict=True):
                assert channel is not None
                shown = _number(connection, channel)
                assert shown == number or (math.isnan(shown) and math.isnan(number)), name
            opened = connection.open(groups)
            for (name, group), enable, condition in zip(model.groups.items(), opened[::2], opened[1::2], strict=True):
                assert enable is not None
                assert condition is not None
                assert (name, bool(_number(connection, enable)), _text(connection, condition)) == (name, group.enable, group.condition)
            some = self._draw.sample(list(model.channels), 10) if len(model.channels) > 10 else list(model.channels)
            for name in some:
                rate, description = connection.open([f"{self._prefix}CH:{name}:Rate", f"{self._prefix}CH:{name}:Desc"])
                assert rate is not None
                assert description is not None
                shown_settings = {"rate": _number(connection, rate), "description": _text(connection, description)}
                assert shown_settings.items() <= model.settings(name).items()

    def audited(self) -> int:
        """Puts in the audit, without those of who sends any bytes."""
        database = sqlite3.connect(self._control.directories.registry)
        (done,) = database.execute("SELECT count(*) FROM audit WHERE peer NOT LIKE ?", (f"{VANDAL}:%",)).fetchone()
        (refused,) = database.execute("SELECT coalesce(sum(puts), 0) FROM refused_put WHERE address != ?", (VANDAL,)).fetchone()
        database.close()
        return int(done + refused)


def _number(connection: RawConnection, channel: Opened) -> float:
    message = connection.get(channel, frames.DOUBLE, 1)
    assert message is not None
    return float(struct.unpack_from(">d", message.payload)[0])


def _text(connection: RawConnection, channel: Opened) -> str:
    message = connection.get(channel, frames.CHAR)
    assert message is not None
    return message.payload.split(b"\0", 1)[0].decode()


class Watcher:
    """A plain client that reads HEARTBEAT all the while. longest_s: the longest that it waited for an answer."""

    def __init__(self, port: int, prefix: str) -> None:
        self._connection = RawConnection(port, "watcher")
        (channel,) = self._connection.open([f"{prefix}HEARTBEAT"])
        assert channel is not None
        self._channel = channel
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.longest_s, self.beats = 0.0, set[float]()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(90)
        self._connection.abort()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            begun = time.monotonic()
            self.beats.add(_number(self._connection, self._channel))
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
