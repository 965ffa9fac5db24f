"""Every rule of the spool in `docs/reference/contract/files.md` has a number that a test names."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[3]
PAGE = TESTS.parent / "docs/reference/contract/files.md"

_RULE = re.compile(r"\bSPL-\d\d\b")


def test_every_rule_is_named_by_a_test() -> None:
    """The numbers in the page are those that tests name, and each stands there once."""
    rules = re.findall(r"^\| (SPL-\d\d) \|", PAGE.read_text(), re.MULTILINE)
    named = {rule for path in TESTS.rglob("test_*.py") if path != Path(__file__) for rule in _RULE.findall(path.read_text())}
    assert len(rules) == len(set(rules)) >= 16
    assert named == set(rules)
