from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from tests.processes import raw_frames as frames
from tests.processes.raw_frames import Message

ANSWER_S = 60.0
ECA_BADTYPE = 114


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel as the server made it. rights: bit 0 read, bit 1 write."""

    cid: int
    sid: int
    data_type: int
    count: int
    rights: int


@dataclass(slots=True)
class Answers:
    """What the server has said, by ioid.

    puts: `""` (done) or why not; statuses: ECA_ numbers of puts and reads. A put with completion and a read have an answer only when the
    reply has come, whatever errors came before. reads: the message, None of a refused one. events: how many; gone: channels.
    """

    puts: dict[int, str] = field(default_factory=dict)
    reads: dict[int, Message | None] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    events: int = 0


class RawConnection:
    """A CA circuit that sends what it is told, right or wrong, and sorts the answers by request.

    Fast: 100 000 puts with their answers take a second of its own time.
    """

    def __init__(self, port: int, user: str = "fuzz", source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S, source_address=(source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self.numbers = itertools.count(1)
        self.send(frames.greeting(user))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def flood(self, requests: bytes, seconds: float) -> None:
        """Send requests again and again, as many as the server takes in so long, and read nothing."""
        deadline = time.monotonic() + seconds
        self._socket.settimeout(seconds / 5)
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < deadline:
                self._socket.sendall(requests)
        self._socket.settimeout(ANSWER_S)

    def open(self, names: Iterable[str | bytes]) -> list[Opened | None]:
        """Channels by these names, None for those that there are not."""
        wanted = [name if isinstance(name, bytes) else name.encode() for name in names]
        cids = [next(self.numbers) for _ in wanted]
        self.send(b"".join(frames.create(name, cid) for name, cid in zip(wanted, cids, strict=True)))
        rights: dict[int, int] = {}
        found: dict[int, Opened | None] = {}
        while len(found) < len(cids):
            for message in self._receive():
                if message.command == frames.ACCESS_RIGHTS:
                    rights[message.first] = message.second
                elif message.command == frames.CREATE_CHAN:
                    cid = message.first
                    found[cid] = Opened(cid, message.second, message.data_type, message.count, rights[cid])
                elif message.command == frames.CREATE_CHAN_FAIL:
                    found[message.first] = None
        return [found[cid] for cid in cids]

    def ask(self, requests: bytes, last: int, *, read: bool = False) -> Answers:
        """Send requests and collect what comes until the put (or read) with the ioid `last` is answered."""
        self.send(requests)
        answers = Answers()
        while last not in (answers.reads if read else answers.puts):
            self._sort(self._receive(), answers)
        return answers

    def finish(self, requests: bytes = b"") -> Answers:
        """Send requests, say that nothing more comes, and collect what comes until the server closes the circuit."""
        self._socket.sendall(requests)
        self._socket.shutdown(socket.SHUT_WR)
        answers = Answers()
        deadline = time.monotonic() + ANSWER_S
        while data := self._socket.recv(65536):
            assert time.monotonic() < deadline
            self._data += data
            self._sort(self._taken(), answers)
        self._socket.close()
        return answers

    def put(self, channel: Opened, data_type: int, count: int, payload: bytes) -> str:
        """Put with completion: `""`, or why it was refused."""
        ioid = next(self.numbers)
        return self.ask(frames.put(channel.sid, data_type, count, payload, ioid), ioid).puts[ioid]

    def get(self, channel: Opened, data_type: int, count: int = 0) -> Message | None:
        """Read; None when the server refuses."""
        ioid = next(self.numbers)
        return self.ask(frames.read(channel.sid, data_type, count, ioid), ioid, read=True).reads[ioid]

    def abort(self) -> None:
        """Close at once, whatever is still to come (RST)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def _receive(self) -> list[Message]:
        data = self._socket.recv(65536)
        assert data, "the server closed the circuit"
        self._data += data
        return self._taken()

    def _taken(self) -> list[Message]:
        found, end = [], 0
        for message, end in frames.messages(self._data):  # noqa: B007 - the last end is used
            found.append(message)
        self._data = self._data[end:]
        return found

    def _sort(self, received: list[Message], answers: Answers) -> None:
        for message in received:
            match message.command:
                case frames.WRITE_NOTIFY:
                    words = answers.words.get(message.second) or f"status {message.first}"
                    answers.puts[message.second] = "" if message.first == 1 else words
                    answers.statuses[message.second] = message.first
                case frames.READ_NOTIFY:
                    answers.reads[message.second] = message if message.first == 1 else None
                    answers.statuses[message.second] = message.first
                case frames.EVENT_ADD:
                    answers.events += 1
                case frames.SERVER_DISCONN:
                    answers.gone.add(message.first)
                case frames.ERROR:
                    command, ioid = frames.asked(message)
                    answers.words[ioid] = frames.words(message) or f"status {message.second}"
                    if command == frames.WRITE:
                        answers.puts[ioid], answers.statuses[ioid] = answers.words[ioid], message.second
                    elif command == frames.READ_NOTIFY and message.second == ECA_BADTYPE:
                        answers.reads[ioid] = None  # there is no such type, so no reply can have it
