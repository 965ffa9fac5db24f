"""The control process dies while it follows a file, again and again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.apply_kills import ApplyKills
from tests.proof.counts import counts

MOST = 200
"""Kills until both have been seen."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


def test_apply_killed_at_random_moments(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """Kill -9 at random moments of an Apply: each time the registry is as before or as after it, and both have been seen."""
    wanted = counts().apply_kills
    with closing(ApplyKills(tmp_path, ports(1)[0], prefix, seed=2)) as kills:
        for _ in range(wanted):
            kills.kill_once()
        for number in range(wanted, MOST):  # how long an Apply takes changes with what else the machine does
            if 0 < kills.applied < number:
                break
            kills.kill_once()
        assert kills.applied > 0
        assert kills.before > 0
