"""The words that the glossary avoids do not come back into what users read first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from archioc.cli.main import app

ROOT = Path(__file__).parents[2]
AVOIDED = re.compile(
    r"\b(?:is|are|was|were|be) (?:taken up|let go)\b|\b(?:tells?|told)\b|\bof before\b|(?<!there )\bis no (?!longer)[a-z]+"
    r"|\bso (?:many|long)\b",
    re.IGNORECASE,
)
"""Patterns of the table `Words that are avoided` in docs/reference/glossary.md."""

GLOSSARY = ROOT / "docs/reference/glossary.md"
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.yaml"), *(ROOT / "docs").rglob("*.csv"))
    if page not in {GLOSSARY, ROOT / "CHANGELOG.md"} and page.parent.name != "decisions"
)
"""The pages that people read; decisions keep the words of their day."""


def faults(text: str) -> list[str]:
    """Lines with an avoided word."""
    return [line.strip() for line in text.splitlines() if AVOIDED.search(line)]


def helps(command: object) -> list[str]:
    """The help of a command and of those below it, with that of their options."""
    own = [str(getattr(command, "help", "") or "")] + [str(getattr(one, "help", "") or "") for one in getattr(command, "params", [])]
    return own + [text for part in getattr(command, "commands", {}).values() for text in helps(part)]


@pytest.mark.parametrize("page", PAGES)
def test_pages(page: str) -> None:
    """No line of these pages has an avoided word."""
    assert faults((ROOT / page).read_text()) == []


def test_help_texts() -> None:
    """No help text has an avoided word."""
    assert [text for text in helps(typer.main.get_command(app)) if faults(text)] == []


def test_the_check_can_fail() -> None:
    """A sentence of the old kind is found."""
    assert faults("The store is told of it.\nThat is no fault.\nThe store reports it.") == ["The store is told of it.", "That is no fault."]
