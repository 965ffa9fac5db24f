from __future__ import annotations

import re
from pathlib import Path

from archioc.core.events import GAPS, Reason
from archioc.core.table.columns import DROPS

_TEXT = (Path(__file__).parents[3] / "docs/reference/contract/events.md").read_text()


def test_event_codes_are_those_of_the_contract() -> None:
    """Code, word and kind of every event stand in `events.md` as the program has them."""
    events, _ = _TEXT.split("## Drop reasons")
    lines = re.findall(r"^\| (\d+) \| `(\w+)` \| (\w+) \|", events, re.MULTILINE)
    assert {int(code): (word, kind == "gap") for code, word, kind in lines} == {
        int(reason): (reason.word, reason in GAPS) for reason in Reason
    }


def test_drop_reasons_are_those_of_the_contract() -> None:
    """Every drop reason stands in `events.md`, in the order in which the program counts them."""
    _, drops = _TEXT.split("## Drop reasons")
    lines = re.findall(r"^\| (\d+) \| `(\w+)` \|", drops, re.MULTILINE)
    assert [(int(code), f"dropped_{word}") for code, word in lines] == list(enumerate(DROPS))
