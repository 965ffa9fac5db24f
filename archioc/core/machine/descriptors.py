"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource

UNLIMITED = 1 << 20
"""What `RLIM_INFINITY` counts as."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return UNLIMITED if hard == resource.RLIM_INFINITY else hard
