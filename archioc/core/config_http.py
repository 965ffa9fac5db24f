"""Reading the archive over HTTP: address, limits, and for whom."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from archioc.core.config.value_types import Block, Duration, EmptyAsList, Ipv4, between

_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,20}://([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")


def _host(text: str) -> str:
    word = text.lower().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        pass
    if word != "*" and (len(word) > 253 or _NAME.fullmatch(word) is None):
        raise ValueError("must be a host name without a port, *.domain, an IP address, or * for any")
    return word


def _origin(text: str) -> str:
    word = text.lower()
    if word != "*" and _ORIGIN.fullmatch(word) is None:
        raise ValueError("must be an origin such as https://host or http://host:3000, without a path, or * for any")
    return word


AllowedHost = Annotated[str, AfterValidator(_host)]
AllowedOrigin = Annotated[str, AfterValidator(_origin)]


class Http(Block):
    """Reading the archive over HTTP; whoever reaches the address may read."""

    enabled: bool = True
    """Serve HTTP."""

    host: Ipv4 = "127.0.0.1"
    """IPv4 address to serve on; 0.0.0.0 means all."""

    port: Annotated[int, Field(ge=0, le=65535)] = 17668
    """TCP port, 1 to 65535; 0: any that is free, which the file `http.json` of the run directory tells."""

    allowed_hosts: Annotated[tuple[AllowedHost, ...], EmptyAsList] = ()
    """Further names by which clients may call this server: host names, `*.domain`, IP addresses, or `*` for any."""

    allowed_origins: Annotated[tuple[AllowedOrigin, ...], EmptyAsList] = ()
    """Origins of other servers (`https://host:port`) whose pages may read the archive in a browser, or `*` for any; empty: none."""

    query_limit: Annotated[Duration, between(1, 3600, "s")] = 120.0
    """How long a query may work for the next piece of its answer (duration, 1s to 1h)."""

    head_limit: Annotated[Duration, between(0.5, 60, "s")] = 5.0
    """How long the head of a request may take to arrive (duration, 0.5s to 60s)."""

    body_limit: Annotated[Duration, between(0.5, 600, "s")] = 30.0
    """How long the body of a request may take to arrive (duration, 0.5s to 10min)."""

    connections: Annotated[int, Field(ge=8, le=20_000)] = 400
    """Most connections at a time, 8 to 20 000; for one more, the connection that has waited longest for its client is closed."""

    places_per_address: Annotated[int, Field(ge=1, le=30)] = 24
    """Of the 30 queries that are answered at a time, how many may come from one address, 1 to 30."""
