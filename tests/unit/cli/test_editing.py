"""Words of the command line as lines of a command PV."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.cli.channels.editing import LONGEST_PUT, command_text
from archioc.core.channel_name import split_command_line
from archioc.core.errors import UsageError

NAMES = st.lists(st.text("ABC:.{}[]$*?\"'\\µ", min_size=1, max_size=20), min_size=1, max_size=4)
SETTINGS = st.dictionaries(
    st.sampled_from(["rate", "mode", "description"]),
    st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=20),
)


@given(NAMES, SETTINGS)
def test_each_name_is_a_line_with_all_settings(names: list[str], settings: dict[str, str]) -> None:
    """The archiver reads the names and settings back as they were given, blanks, quotes and backslashes included."""
    text = command_text([*names, *(f"{key}={value}" for key, value in settings.items())])
    assert [split_command_line(line) for line in text.decode().split("\n")] == [(name, settings) for name in names]


@pytest.mark.parametrize("words", [["rate=10"], ["A", "description=one\ntwo"], ["A\nB"], ["A" * (LONGEST_PUT + 1)], ["A", "rate=1\rB"]])
def test_what_would_be_another_command_is_refused(words: list[str]) -> None:
    """No name, a line end within a word, and more than a put takes."""
    with pytest.raises(UsageError):
        command_text(words)
