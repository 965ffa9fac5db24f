from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.processes.apply_kills import ApplyKills

KILLS = 5


def test_an_apply_that_is_cut_short_is_whole_or_not_at_all(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """Killed anywhere in an Apply, the control process leaves a registry that is as before or as after it; a start follows the file."""
    with closing(ApplyKills(tmp_path, ports(1)[0], prefix, seed=1)) as kills:
        for _ in range(KILLS):
            kills.kill_once()
