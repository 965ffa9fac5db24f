"""What a PV knows of those who watch it."""

from __future__ import annotations

from typing import Protocol


class Subscriber(Protocol):
    """Somebody who is sent the events of a PV."""

    @property
    def mask(self) -> int:
        """The events that it asked for (DBE_ of `caeventmask.h`)."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Whether an event waits to be sent to it; the event then carries the newest value."""
        ...

    @property
    def client(self) -> tuple[str, int]:
        """Address and port of the client that it belongs to."""
        ...

    def post(self) -> None:
        """Send it an event with the newest value when its turn comes."""
        ...
