from __future__ import annotations

import os
from collections.abc import Mapping

from caproto import CaprotoError
from caproto.sync.client import read

from archioc.demo.layout import ARCHIVER_PREFIX

_READ_S = 1.0


class ArchiverPvs:
    """Reads PVs of the demo's archiver over Channel Access. caproto finds servers by the environment, so it is set for this process."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        os.environ |= variables

    def number(self, name: str) -> int | None:
        """The value of `ARCH:<name>`, None while it cannot be read."""
        try:
            return int(read(ARCHIVER_PREFIX + name, timeout=_READ_S, repeater=False).data[0])
        except (CaprotoError, TimeoutError, ConnectionError):
            return None
