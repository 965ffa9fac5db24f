"""Who put what to the control PVs, as registry, spool and stores keep it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One put by a client.

    time_ns: when it came, ns since 1970 UTC. peer: address and port of the client, which cannot be claimed.
    user, host: what the client says about itself. old, new: values as text. outcome: `done`, or why it was refused.
    """

    time_ns: int
    user: str
    host: str
    peer: str
    pv: str
    old: str
    new: str
    outcome: str

    @property
    def done(self) -> bool:
        """Whether it was carried out."""
        return self.outcome == "done"
