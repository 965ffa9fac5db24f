"""Requests that no library client sends: the one who sent them is told what is wrong, and nobody else notices."""

from __future__ import annotations

import socket
import sqlite3
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import Opened, RawConnection
from tests.processes.resources import resources_of
from tests.processes.waiting import PATIENCE_S, wait_until


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, "channels: [A, B]")
    made.start()
    yield made
    assert "Traceback" not in made.log()
    assert made.stop() == 0
    made.close()


@pytest.fixture
def client(control: ControlProcess) -> Iterator[RawConnection]:
    with RawConnection(control.port) as connection:
        yield connection


def opened(client: RawConnection, name: str) -> Opened:
    (channel,) = client.open([name])
    assert channel is not None, name
    return channel


def number_of(client: RawConnection, channel: Opened) -> float:
    message = client.get(channel, frames.DOUBLE, 1)
    assert message is not None
    (value,) = struct.unpack_from(">d", message.payload)
    return float(value)


def text_of(client: RawConnection, channel: Opened) -> str:
    message = client.get(channel, frames.CHAR)
    assert message is not None
    return message.payload.split(b"\0", 1)[0].decode()


def audited(control: ControlProcess) -> list[tuple[str, str, str]]:
    """PV, outcome and user of all puts so far that were carried out, oldest first."""
    database = sqlite3.connect(control.directories.registry)
    found = database.execute("SELECT pv, outcome, user FROM audit ORDER BY rowid").fetchall()
    database.close()
    return found


def refused(control: ControlProcess) -> Counter[str]:
    """How many puts to each PV were refused."""
    database = sqlite3.connect(control.directories.registry)
    found = database.execute("SELECT pv, sum(puts) FROM refused_put GROUP BY pv").fetchall()
    database.close()
    return Counter(dict(found))


ONE = frames.encoded([1], frames.DOUBLE)


UNREADABLE = [
    (39, 1, ONE, "type 39"),
    (65535, 1, ONE, "type 65535"),
    (20, 1, bytes(16) + ONE, "type 20"),
    (35, 1, b"\0\1", "type 35"),
    (frames.DOUBLE, 2, ONE, "2 elements"),
    (frames.DOUBLE, 60_000, ONE, "60000 elements"),
    (frames.LONG, 1, b"", "1 element"),
    (frames.STRING, 3, b"1".ljust(40, b"\0"), "3 elements"),
    (frames.CHAR, 40, b"1", "40 elements"),
]
"""Type, declared count and bytes of puts, and what is said of each."""


def test_put_that_cannot_be_read_is_refused(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """A put of a type that is not for puts, or with fewer bytes than elements, is refused and audited; the circuit goes on."""
    rate, code = opened(client, f"{prefix}CH:A:Rate"), opened(client, f"{prefix}ResultCode")
    for data_type, count, payload, words in UNREADABLE:
        answer = client.put(rate, data_type, count, payload)
        assert words in answer
        assert "nothing was changed" in answer
        assert number_of(client, code) == 1
    assert number_of(client, rate) == 0
    wait_until(lambda: refused(control) == {f"{prefix}CH:A:Rate": len(UNREADABLE)}, PATIENCE_S, "the puts are audited")


def test_put_beyond_all_limits_is_refused_and_not_kept(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """A put of many megabytes is told to be too large before it has come; what comes of it is not kept, and the circuit goes on."""
    add, before, size = opened(client, f"{prefix}Add"), resources_of(control.pid).memory, 50_000_000
    header = frames.extended_header(frames.WRITE_NOTIFY, size, frames.CHAR, size, add.sid, 7)
    assert f"{size} bytes" in client.ask(header, 7).puts[7]
    client.send(b"a\n" * (size // 2))
    assert client.put(add, frames.CHAR, 2, b"C\0") == ""
    assert resources_of(control.pid).memory < before + 5_000_000
    wait_until(lambda: (len(audited(control)), refused(control).total()) == (1, 1), PATIENCE_S, "both puts are audited")


def test_read_of_too_many_elements_is_refused(client: RawConnection, prefix: str) -> None:
    """A read or subscription that asks for more elements than the PV has is refused; four thousand million would fill the memory."""
    rate = opened(client, f"{prefix}CH:A:Rate")
    for count in (2, 65_535, 4_000_000_000):
        assert client.get(rate, frames.DOUBLE, count) is None
        client.send(frames.subscribe(rate.sid, frames.DOUBLE, count, 5, 1))
    assert number_of(client, rate) == 0


def test_types_that_are_none(client: RawConnection, prefix: str) -> None:
    """Reads and subscriptions of types that are no values are answered or refused, and the circuit goes on."""
    for name in ("CH:A:Rate", "CH:A:Mode", "CH:A:Desc", "Version", "HEARTBEAT"):
        channel = opened(client, prefix + name)
        for data_type in (35, 36, 37, 38, 39, 1000):
            client.send(frames.subscribe(channel.sid, data_type, 0, channel.sid, 7))
            client.send(frames.frame(frames.EVENT_CANCEL, b"", data_type, 0, channel.sid, channel.sid))
            client.get(channel, data_type)
            assert client.get(channel, frames.STRING) is not None


def test_subscription_without_a_mask_is_refused(client: RawConnection, prefix: str) -> None:
    """A subscription whose mask is missing is refused, and the circuit goes on."""
    rate = opened(client, f"{prefix}CH:A:Rate")
    client.send(frames.frame(frames.EVENT_ADD, b"", frames.DOUBLE, 1, rate.sid, 3))
    assert number_of(client, rate) == 0


def test_puts_before_a_disconnect_are_carried_out(control: ControlProcess, prefix: str) -> None:
    """A client that puts without waiting and goes away at once has all its puts carried out, as with any IOC."""
    with RawConnection(control.port) as first:
        rate = opened(first, f"{prefix}CH:A:Rate")
        first.finish(b"".join(frames.put(rate.sid, frames.DOUBLE, 1, frames.encoded([at], frames.DOUBLE), at) for at in range(1, 51)))
    wait_until(lambda: len(audited(control)) == 50, PATIENCE_S, "all puts are carried out and audited")
    with RawConnection(control.port) as second:
        assert number_of(second, opened(second, f"{prefix}CH:A:Rate")) == 50


def test_flush_ends_when_its_client_goes_away(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """A Flush whose client goes away before the engine has answered ends: Busy falls back to Idle, and the put is audited."""
    busy = opened(client, f"{prefix}Busy")
    other = RawConnection(control.port)
    flush = opened(other, f"{prefix}Flush")
    other.send(frames.put(flush.sid, frames.LONG, 1, frames.encoded([1], frames.LONG), 1))
    wait_until(lambda: number_of(client, busy) == 1, PATIENCE_S, "Flush is being carried out")
    other.abort()
    control.table.status.head["flush_done"][0] = 1000
    wait_until(lambda: number_of(client, busy) == 0, PATIENCE_S, "Flush has ended")
    wait_until(lambda: [pv for pv, *_ in audited(control)] == [f"{prefix}Flush"], PATIENCE_S, "the put is audited")


def test_names_beyond_ascii_are_found(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """The PVs of a channel whose name has other letters than ASCII are found by search and opened by its bytes in UTF-8."""
    assert client.put(opened(client, f"{prefix}Add"), frames.CHAR, 7, "SR:µ".encode() + b"\0\0") == ""
    assert number_of(client, opened(client, f"{prefix}CH:SR:µ:Enable")) == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as searcher:
        searcher.settimeout(30)
        searcher.sendto(
            frames.frame(frames.VERSION, count=13) + frames.search(f"{prefix}CH:SR:µ:Rate".encode(), 9), ("127.0.0.1", control.port)
        )
        found = [message.second for message, _ in frames.messages(searcher.recv(1000)) if message.command == frames.SEARCH]
    assert found == [9]


def test_long_number_holds_up_nobody(client: RawConnection, prefix: str) -> None:
    """A number of 16 000 characters is refused at once, as the quickest of five puts shows: while it is read nobody else is served."""
    command = opened(client, f"{prefix}Set")
    for value in ("1" * 15_900 + "?", '"1' + " " * 15_900 + '!"', "1." + "0" * 15_900 + "?"):
        text, took = f"A rate={value}".encode(), []
        for _ in range(5):
            begun = time.monotonic()
            assert "nothing was changed" in client.put(command, frames.CHAR, len(text), text)
            took.append(time.monotonic() - begun)
        assert min(took) < 0.5


def test_flood_of_refused_puts_is_counted_whole(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """Each of 4000 puts that are refused as fast as they come counts in the audit, which has few entries for them, and the log few lines.

    The puts that were carried out before stay where they are.
    """
    assert client.put(opened(client, f"{prefix}CH:A:Rate"), frames.DOUBLE, 1, ONE) == ""
    heartbeat = opened(client, f"{prefix}HEARTBEAT")
    for begin in range(0, 4000, 500):
        requests = b"".join(frames.put(heartbeat.sid, frames.DOUBLE, 1, ONE, ioid) for ioid in range(begin, begin + 500))
        assert all(client.ask(requests, begin + 499).puts.values())
    wait_until(lambda: refused(control).total() >= 4000, PATIENCE_S, "all are audited")
    assert refused(control) == {f"{prefix}HEARTBEAT": 4000}
    assert control.log().count("put_forbidden") <= 3
    assert [pv for pv, *_ in audited(control)] == [f"{prefix}CH:A:Rate"]
    assert len((control.directories.state / "audit.jsonl").read_text().splitlines()) == 1


def test_long_claims_are_cut(control: ControlProcess, prefix: str) -> None:
    """Of a user name of 60 000 characters the audit and the log keep the beginning."""
    with RawConnection(control.port, user="u" * 60_000) as client:
        assert "may not write" in client.put(opened(client, f"{prefix}HEARTBEAT"), frames.DOUBLE, 1, ONE)
    wait_until(lambda: bool(refused(control)), PATIENCE_S, "the put is audited")
    database = sqlite3.connect(control.directories.registry)
    assert database.execute("SELECT user FROM refused_put").fetchall() == [("u" * 255,)]
    database.close()
    assert max(map(len, control.log().splitlines())) < 2000


def test_put_to_what_was_just_removed_is_told(control: ControlProcess, client: RawConnection, prefix: str) -> None:
    """Puts to a channel that was removed a moment ago are refused, each with Result and in the audit."""
    remove, rate = opened(client, f"{prefix}CH:A:Remove"), opened(client, f"{prefix}CH:A:Rate")
    requests = [frames.put(remove.sid, frames.CHAR, 2, b"A\0", 1), frames.put(remove.sid, frames.CHAR, 2, b"A\0", 2)]
    answers = client.ask(b"".join([*requests, frames.put(rate.sid, frames.DOUBLE, 1, ONE, 3)]), 3)
    assert answers.puts[1] == ""
    assert "no such channel" in answers.puts[2]
    assert "no such channel" in answers.puts[3]
    wait_until(lambda: (len(audited(control)), refused(control).total()) == (1, 2), PATIENCE_S, "all three are audited")
    assert text_of(client, opened(client, f"{prefix}Result")) == answers.puts[3].removeprefix("line 1: ")
