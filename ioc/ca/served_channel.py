"""A PV as one client has it open."""

from __future__ import annotations

from dataclasses import dataclass

from caproto import ChannelType

from archioc.ioc.ca.pv import LONG_STRING_BYTES, PV


@dataclass(frozen=True, slots=True, eq=False)
class ServedChannel:
    """A channel that a client has open. long_string: asked for with `$` at its end."""

    sid: int
    cid: int
    pv: PV
    long_string: bool

    @property
    def data_type(self) -> ChannelType:
        """DBR type as the client is told."""
        return ChannelType.CHAR if self.long_string and self.pv.native == ChannelType.STRING else self.pv.native

    @property
    def count(self) -> int:
        """Elements as the client is told."""
        return LONG_STRING_BYTES if self.data_type != self.pv.native else self.pv.spec.count
