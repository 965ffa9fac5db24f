"""Whose clock is wrong? When stamps of many IOCs lie in the future, or in the past, at once, ours is wrong.

An IOC's host disagrees with us while most of what it sent in its last drain had a stamp that `look_ahead` or `look_behind` names.
Our own clock is suspect while at least MIN_HOSTS hosts, and more than SUSPECT_PART of all that are connected, disagree. The verdict
stays until a host with a believable stamp is heard, so that a restart in the middle does not lose it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.drain import Mask
from archioc.engine.sampling.updates import Updates

MIN_HOSTS = 3
SUSPECT_PART = 0.2
_NO_HOST = -1

Rows = npt.NDArray[np.integer]


class HostClocks:
    """The hosts of all connected rows and whether they disagree with our clock. suspect: our own clock is in doubt."""

    def __init__(self, rows: int) -> None:
        self.suspect = False
        self._numbers: dict[str, int] = {}
        self._host = np.full(rows, _NO_HOST, "i4")
        self._channels = np.zeros(0, "i8")  # by host
        self._disagrees = np.zeros(0, bool)  # by host

    def connect(self, rows: Rows, addresses: list[str]) -> None:
        """These rows are served by these addresses, `host:port`; IOCs of one host share its clock."""
        self.disconnect(rows)
        hosts = [address.rpartition(":")[0] or address for address in addresses]
        self._host[rows] = [self._numbers.setdefault(host, len(self._numbers)) for host in hosts]
        new = len(self._numbers) - len(self._channels)
        self._channels, self._disagrees = np.append(self._channels, np.zeros(new, "i8")), np.append(self._disagrees, np.zeros(new, bool))
        np.add.at(self._channels, self._host[rows], 1)

    def disconnect(self, rows: Rows) -> None:
        """These rows are served by nobody."""
        known = rows[self._host[rows] != _NO_HOST]
        np.subtract.at(self._channels, self._host[known], 1)
        self._host[known] = _NO_HOST
        self._disagrees[self._channels == 0] = False

    def judge(self, updates: Updates, wrong: Mask) -> bool:
        """Note the stamps of a drain; whether our own clock is suspect. wrong: those that lie too far in the future or in the past."""
        if not (self.suspect or wrong.any() or self._disagrees.any()):
            return False
        host = self._host[updates.row]
        known = host != _NO_HOST
        sent = np.bincount(host[known], minlength=len(self._disagrees))
        sent_wrong = np.bincount(host[known & wrong], minlength=len(self._disagrees))
        heard = sent > 0
        self._disagrees[heard] = (2 * sent_wrong > sent)[heard]
        hosts, disagreeing = int(np.count_nonzero(self._channels)), int(np.count_nonzero(self._disagrees))
        many = disagreeing >= MIN_HOSTS and disagreeing > SUSPECT_PART * hosts
        contradicted = bool((heard & ~self._disagrees).any())
        self.suspect = many or (self.suspect and not contradicted)
        return self.suspect
