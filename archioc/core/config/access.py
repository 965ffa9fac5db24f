"""Who may write to which control PV."""

import ipaddress
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from archioc.core.config.value_types import Block, EmptyAsList, NotEmpty


class AccessLevel(StrEnum):
    """A right that a put needs; expert includes control."""

    CONTROL = "control"
    EXPERT = "expert"


def _network(value: object) -> ipaddress.IPv4Network:
    if isinstance(value, ipaddress.IPv4Network):
        return value
    try:
        interface = ipaddress.IPv4Interface(str(value))
    except ValueError:
        raise ValueError("must be an IPv4 address or network such as 10.0.1.7 or 10.0.1.0/24") from None
    if interface.ip != interface.network.network_address:
        raise ValueError("has bits set beyond its mask; a network is written like 10.0.1.0/24")
    return interface.network


Network = Annotated[ipaddress.IPv4Network, BeforeValidator(_network), WithJsonSchema({"type": "string"})]


class AccessRule(Block):
    """Peers that have a right. A CA user name is only a claim of the client, so it narrows a rule and never makes one."""

    hosts: Annotated[tuple[Network, ...], NotEmpty, EmptyAsList]
    """IPv4 addresses and networks (`10.0.1.0/24`) that the client may have."""

    users: Annotated[tuple[str, ...], NotEmpty, EmptyAsList] | None = None
    """User names that the client may give; left out: any."""

    def fits(self, peer: ipaddress.IPv4Address, user: str) -> bool:
        """Whether a client at `peer` that calls itself `user` falls under this rule."""
        return any(peer in network for network in self.hosts) and (self.users is None or user in self.users)


LOOPBACK = AccessRule(hosts=(ipaddress.IPv4Network("127.0.0.0/8"),))


class Access(Block):
    """Who may write; reading is free. By default only clients on this machine."""

    control: Annotated[tuple[AccessRule, ...], EmptyAsList] = (LOOPBACK,)
    """Who may change channels (Enable, Rate, Mode): a list of rules, one of which must fit; an empty list: nobody but experts."""

    expert: Annotated[tuple[AccessRule, ...], EmptyAsList] = (LOOPBACK,)
    """Who may also add and remove channels: a list of rules, one of which must fit; an empty list: nobody."""

    def allows(self, level: AccessLevel | str, peer_ip: str, user: str) -> bool:
        """Whether a client may do what needs `level`; a peer without an IPv4 address never may. Raises ValueError for another level."""
        wanted = AccessLevel(level)
        try:
            peer = ipaddress.IPv4Address(peer_ip)
        except ValueError:
            return False
        rules = self.expert if wanted is AccessLevel.EXPERT else (*self.control, *self.expert)
        return any(rule.fits(peer, user) for rule in rules)
