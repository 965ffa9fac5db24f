from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.views.ring import ONLY_THIS_HOST, SITE, connect
from tests.processes.control_process import ControlProcess


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{SITE}\n{ONLY_THIS_HOST}")
    made.start()
    connect(made)
    yield made
    made.close()
