from __future__ import annotations

import socket
import time
from typing import Any, Self

import caproto as ca

ANSWER_S = 30.0


class RawCa:
    """One CA circuit, message by message, from a source address of choice; for what library clients hide."""

    def __init__(self, port: int, source: str = "127.0.0.1", user: str = "tester", host: str = "control-room") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S, source_address=(source, 0))
        self._circuit = ca.VirtualCircuit(ca.CLIENT, ("127.0.0.1", port), 0)
        self._received: list[Any] = []
        self._ids = iter(range(1, 1_000_000))
        self.send(ca.VersionRequest(priority=0, version=13), ca.HostNameRequest(host), ca.ClientNameRequest(user))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *commands: Any) -> None:
        self._socket.sendall(b"".join(bytes(part) for command in commands for part in (command.header, *command.buffers)))

    def send_bytes(self, message: bytes) -> None:
        """Send a message that caproto would refuse to make."""
        self._socket.sendall(message)

    def wait_for(self, kind: type, timeout_s: float = ANSWER_S) -> Any:
        """The next message of this kind; others that come before are kept."""
        deadline = time.monotonic() + timeout_s
        while True:
            for message in self._received:
                if isinstance(message, kind):
                    self._received.remove(message)
                    return message
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self._socket.recv(65536)
            assert data, "the server closed the circuit"
            # Data is decoded when it is asked for, so the bytes must not move.
            self._received.extend(self._circuit.recv(bytes(data))[0])

    def open(self, name: str) -> tuple[Any, Any]:
        """Create a channel: its access rights and the server's answer."""
        self.send(ca.CreateChanRequest(name, next(self._ids), 13))
        return self.wait_for(ca.AccessRightsResponse), self.wait_for(ca.CreateChanResponse)

    def put(self, channel: Any, value: Any, data_type: ca.ChannelType) -> Any:
        """Put with completion: the WriteNotifyResponse, or of a refused put the ErrorResponse that has the words.

        A refused put, too, must be answered with a WriteNotifyResponse, which has the same status.
        """
        self.send(ca.WriteNotifyRequest(value, data_type, len(value), channel.sid, next(self._ids)))
        done = self.wait_for(ca.WriteNotifyResponse)
        if done.status.success:
            return done
        refused = self.wait_for(ca.ErrorResponse)
        assert refused.status == done.status
        return refused

    def get(self, channel: Any, data_type: ca.ChannelType) -> Any:
        """The answer to a read."""
        ioid = next(self._ids)
        self.send(ca.ReadNotifyRequest(data_type, 0, channel.sid, ioid))
        while (answer := self.wait_for(ca.ReadNotifyResponse)).ioid != ioid:
            pass
        return answer

    def monitor(self, channel: Any, data_type: ca.ChannelType, mask: int) -> int:
        """Subscribe; the subscription's id."""
        number = next(self._ids)
        self.send(ca.EventAddRequest(data_type, 0, channel.sid, number, 0, 0, 0, mask))
        return number
