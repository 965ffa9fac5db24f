"""What is to be deleted from a store, and by whom."""

from __future__ import annotations

from dataclasses import dataclass

from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import format_utc


@dataclass(frozen=True, slots=True)
class Erasure:
    """Samples and alarm states with start <= time <= end (ns since 1970). channel: None for those of all channels."""

    channel: str | None
    start_ns: int
    end_ns: int

    def audited(self, count: int, now_ns: int, user: str, host: str) -> AuditRecord:
        """Who deletes how many samples."""
        span = f"{format_utc(self.start_ns)} to {format_utc(self.end_ns)}"
        what = f"store delete {self.channel}" if self.channel is not None else "store prune"
        return AuditRecord(now_ns, user, host, "command line", what, f"{count} samples", f"none from {span}", "done")

    def events(self, order: AuditRecord) -> list[ChannelEvent]:
        """The gap of the channel. Where all channels are pruned there is none: the end of a retention leaves none either."""
        if self.channel is None:
            return []
        text = f"{order.old} deleted by {order.user}@{order.host}"
        return [ChannelEvent(self.channel, self.start_ns, Reason.DELETED, end_ns=self.end_ns, text=text)]
