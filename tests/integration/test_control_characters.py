"""Texts of strangers never reach a terminal as they are, and stay as they are in CSV and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import Kind
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import T0, Point
from tests.archives.stored_archive import StoredArchive, make_archive

EVIL = "\x1b[31mred\x1b[0m\r\n2026-12-01 [info] put_done\x07\x1b]0;title\x07\u202e"
RANGE = ("--start", format_utc(T0 - SECOND), "--end", format_utc(T0 + 60 * SECOND))


@pytest.fixture
def archive(tmp_path: Path) -> StoredArchive:
    """A text channel with such a text, and an event with such a reason."""
    made = make_archive(tmp_path)
    made.store([Point("A", T0, blob=EVIL.encode(), kind=Kind.TEXT)], [ChannelEvent("A", T0 + SECOND, Reason.REJECTED, text=EVIL)])
    return made


@pytest.mark.parametrize(
    "words",
    [("get", "A", *RANGE), ("get", "A", *RANGE, "--align"), ("get", "A", "--last", *RANGE), ("explain", "A", format_utc(T0 + 2 * SECOND))],
    ids=["get", "align", "last", "explain"],
)
def test_people_see_escapes(archive: StoredArchive, words: tuple[str, ...]) -> None:
    """What a command writes for people has only printable characters and newlines of its own, and shows the escapes."""
    output = archive.read(*words)
    assert all(line.isprintable() for line in output.splitlines())
    assert "\\x1b[31mred" in output
    assert not [line for line in output.splitlines() if line.startswith("2026-12-01 [info]")]


def test_programs_get_the_text_itself(archive: StoredArchive) -> None:
    """JSON has the text bit for bit."""
    document = json.loads(archive.read("get", "A", *RANGE, "--format", "json"))
    assert EVIL in texts_of(document)


def texts_of(document: object) -> list[str]:
    """All texts in a document of JSON."""
    if isinstance(document, dict):
        return [text for one in document.values() for text in texts_of(one)]
    if isinstance(document, list):
        return [text for one in document for text in texts_of(one)]
    return [document] if isinstance(document, str) else []
