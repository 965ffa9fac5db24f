from __future__ import annotations

from collections.abc import Callable

import pytest

from archioc.core.errors import CommandRefused
from archioc.ioc.registry.change import Change
from archioc.ioc.results import ResultCode


def refused(command: Callable[[str], Change], text: str) -> tuple[ResultCode, str]:
    """The code and the words with which a command is refused."""
    with pytest.raises(CommandRefused) as caught:
        command(text)
    return ResultCode(caught.value.code), str(caught.value)
