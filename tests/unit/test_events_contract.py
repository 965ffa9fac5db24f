from __future__ import annotations

import re
from pathlib import Path

from archioc.core.events import GAPS, DropReason, Reason

_TEXT = (Path(__file__).parents[2] / "docs/reference/contract/events.md").read_text()


def test_event_codes_are_those_of_the_contract() -> None:
    """Code, word and kind of every event stand in `events.md` as the program has them."""
    events, drops = _TEXT.split("## Drop reasons")
    written = {
        int(code): (word, kind == "gap") for code, word, kind in re.findall(r"^\| (\d+) \| `(\w+)` \| (\w+) \|", events, re.MULTILINE)
    }
    assert written == {int(reason): (reason.word, reason in GAPS) for reason in Reason}
    assert dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", drops, re.MULTILINE)) == {
        str(int(reason)): reason.name.lower() for reason in DropReason
    }
