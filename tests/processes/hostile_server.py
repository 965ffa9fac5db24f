from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field

from tests.processes.hostile_messages import CTRL, ELEMENT, HostileMessages, Wanted, metadata, value
from tests.processes.raw_frames import (
    ACCESS_RIGHTS,
    CLEAR_CHANNEL,
    CREATE_CHAN,
    CREATE_CHAN_FAIL,
    ECHO,
    EVENT_ADD,
    EVENT_CANCEL,
    READ_NOTIFY,
    SEARCH,
    VERSION,
    Message,
    frame,
    messages,
)

HOST = "127.0.0.1"
POLL_S = 0.05


@dataclass(slots=True)
class _Circuit:
    """A client's connection. channels: name, cid and native type, by sid."""

    socket: socket.socket
    data: bytes = b""
    channels: list[tuple[str, int, int]] = field(default_factory=list)
    subscriptions: dict[int, Wanted] = field(default_factory=dict)


class HostileServer:
    """A Channel Access server that keeps to the protocol until there is a subscription, and then sends what it must not.

    It serves every name `<prefix><native type>:<elements>:<anything>`, as in `X:6:1:A` for a double. A subscription gets one true
    value, then `burst` hostile messages; the circuit ends with something that no client can read when `ends` is set.
    silent: it sends no value at all. only: all hostile messages are true but for this number of elements; metadata are true then.
    refuses: beginning of the names that it has, but will not create. searches, creates, attacks: how often it was asked to find or
    to create a channel, and how many hostile messages it has sent about it, by name.
    sent: hostile messages. made: how many of which kind. cancels: subscriptions that a client has ended.
    """

    def __init__(
        self,
        port: int,
        prefix: str,
        seed: int = 0,
        burst: int = 20,
        *,
        ends: bool = False,
        refuses: str = "\0",
        only: int | None = None,
        silent: bool = False,
    ) -> None:
        self.searches: dict[str, int] = {}
        self.creates: dict[str, int] = {}
        self.attacks: dict[str, int] = {}
        self.sent = self.cancels = 0
        self._only, self._silent = only, silent
        self.made = HostileMessages(seed)
        self.port, self._prefix, self._burst, self._ends, self._refuses = port, prefix, burst, ends, refuses
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind((HOST, port))
        self._tcp = socket.create_server((HOST, port))
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._answer_searches), threading.Thread(target=self._accept)]
        for part in (self._udp, self._tcp):
            part.settimeout(POLL_S)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        self._udp.close()
        self._tcp.close()

    # -- finding it ----------------------------------------------------------------------------

    def _answer_searches(self) -> None:
        while not self._over.is_set():
            try:
                data, client = self._udp.recvfrom(65536)
            except TimeoutError:
                continue
            for message, _ in messages(data):
                name = _name(message)
                if message.command == SEARCH and name.startswith(self._prefix):
                    self.searches[name] = self.searches.get(name, 0) + 1
                    found = frame(SEARCH, struct.pack(">H", 13), self.port, 0, 0xFFFFFFFF, message.first)
                    self._udp.sendto(frame(VERSION, count=13) + found, client)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._tcp.accept()
            except TimeoutError:
                continue
            client.settimeout(POLL_S)
            self._threads.append(threading.Thread(target=self._serve, args=(_Circuit(client),)))
            self._threads[-1].start()

    # -- a circuit -----------------------------------------------------------------------------

    def _serve(self, circuit: _Circuit) -> None:
        with circuit.socket:
            try:
                self._send(circuit, frame(VERSION, count=13))
                while not self._over.is_set():
                    if not self._receive(circuit):
                        return
            except OSError:
                return  # the client has ended it

    def _receive(self, circuit: _Circuit) -> bool:
        """Answer what has come; False when the circuit is over."""
        try:
            data = circuit.socket.recv(65536)
        except TimeoutError:
            return True
        if not data:
            return False
        circuit.data += data
        whole = list(messages(circuit.data))
        circuit.data = circuit.data[whole[-1][1] :] if whole else circuit.data
        answers = [self._answer(circuit, message) for message, _ in whole]
        self._send(circuit, b"".join(answer for answer, _ in answers))
        return not any(ends for _, ends in answers)

    def _send(self, circuit: _Circuit, data: bytes) -> None:
        circuit.socket.settimeout(10.0)
        circuit.socket.sendall(data)
        circuit.socket.settimeout(POLL_S)

    def _answer(self, circuit: _Circuit, message: Message) -> tuple[bytes, bool]:
        """What to send, and whether it ends the circuit."""
        command, number = message.command, message.second
        if command == CREATE_CHAN:
            return self._create(circuit, message), False
        if command in {EVENT_ADD, READ_NOTIFY} and message.first >= len(circuit.channels):
            return b"", False  # libca may subscribe to a channel that has gone and is not there again yet
        if command == EVENT_ADD:
            return self._subscribe(circuit, message)
        if command == READ_NOTIFY:
            return _true(_wanted(circuit, message), READ_NOTIFY), False
        if command == EVENT_CANCEL and number in circuit.subscriptions:  # what comes too late, and then the end that was asked for
            one = circuit.subscriptions[number]
            self.cancels += 1
            return self._hostile(one, 3) + frame(EVENT_ADD, b"", one.dbr, 0, message.first, number), False
        if command == CLEAR_CHANNEL:
            return frame(CLEAR_CHANNEL, first=message.first, second=number), False
        return frame(ECHO) if command == ECHO else b"", False

    def _create(self, circuit: _Circuit, message: Message) -> bytes:
        name = _name(message)
        with self._lock:
            self.creates[name] = self.creates.get(name, 0) + 1
        if name.startswith(self._refuses) or not name.startswith(self._prefix):
            return frame(CREATE_CHAN_FAIL, first=message.first)
        native, count, *_ = name.removeprefix(self._prefix).split(":")
        circuit.channels.append((name, message.first, int(native)))
        created = frame(CREATE_CHAN, b"", int(native), int(count), message.first, len(circuit.channels) - 1)
        return frame(ACCESS_RIGHTS, first=message.first, second=3) + created

    def _subscribe(self, circuit: _Circuit, message: Message) -> tuple[bytes, bool]:
        one = _wanted(circuit, message)
        name, _, _ = circuit.channels[message.first]
        if self._silent and one.dbr < CTRL:
            return b"", False
        self.attacks[name] = self.attacks.get(name, 0) + self._burst
        circuit.subscriptions[message.second] = one
        ends = self._ends and len(circuit.subscriptions) % 50 == 0
        hostile = self._hostile(one, self._burst)
        return _true(one) + hostile + (self.made.last(one) if ends else b""), ends

    def _hostile(self, one: Wanted, number: int) -> bytes:
        with self._lock:
            self.sent += number
            if self._only is not None:
                content = bytes(ELEMENT[one.native] * self._only)
                return b"" if one.dbr >= CTRL else number * value(one, content, self._only)
            return self.made.about(one, number)


def _wanted(circuit: _Circuit, message: Message) -> Wanted:
    _, cid, native = circuit.channels[message.first]
    return Wanted(message.second, cid, message.first, message.data_type, native, message.count)


def _true(one: Wanted, command: int = EVENT_ADD) -> bytes:
    """What was asked for."""
    return metadata(one, command) if one.dbr >= CTRL else value(one, bytes(ELEMENT[one.native]), 1, 1_000_000_000, command)


def _name(message: Message) -> str:
    return message.payload.split(b"\0", 1)[0].decode(errors="replace")
