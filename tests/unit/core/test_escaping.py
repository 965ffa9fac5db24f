from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.spool.encoding.escaping import channel_of_line, escape_tag, quote_field, split_lines, time_of_line
from tests.archives.batches import names

TEXTS = st.text(st.sampled_from(list('a ,=\\"\n\r\té中')), max_size=12)
LINES = st.tuples(st.sampled_from([b"sample,pv=", b"event,code=7,pv="]), names(), TEXTS, st.integers(-(2**63), 2**63 - 1))


def line(head: bytes, name: str, text: str, time_ns: int) -> bytes:
    return head + escape_tag(name) + b" label=" + quote_field(name) + b",text=" + quote_field(text) + b" %d" % time_ns


@given(LINES)
def test_a_line_tells_its_channel_and_its_time(parts: tuple[bytes, str, str, int]) -> None:
    """The name of the channel is read back as it was, whatever characters are in it, and so is the time."""
    found = line(*parts)
    assert channel_of_line(found) == parts[1]
    assert time_of_line(found) == parts[3]


@given(st.lists(LINES, max_size=8))
def test_a_body_is_split_at_the_ends_of_lines_only(parts: list[tuple[bytes, str, str, int]]) -> None:
    """Newlines, quotes and backslashes in texts and names end no line, with or without a newline at the end of the body."""
    lines = [line(*one) for one in parts]
    assert split_lines(b"\n".join(lines)) == lines
    assert split_lines(b"".join(one + b"\n" for one in lines)) == lines


def test_long_texts_are_split_at_once() -> None:
    """10 MB of texts are split in far less than the second for each MB that a look at each character takes."""
    lines = [line(b"sample,pv=", "A", ("x" * 1000 + '\\"\n') * 500, at) for at in range(20)]
    started = time.process_time()
    assert split_lines(b"\n".join(lines)) == lines
    assert time.process_time() - started < 2


def test_a_line_without_a_channel() -> None:
    """A line that is none of ours is an error."""
    with pytest.raises(ValueError, match="no tag pv"):
        channel_of_line(b"cpu,host=a value=1 1")
    with pytest.raises(ValueError, match="ends without a time stamp"):
        time_of_line(b"cpu,host=a value=1")
