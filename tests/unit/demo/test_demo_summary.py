from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.demo.readback import ArchiverCounts, Counts
from archioc.demo.records import DemoRecord
from archioc.demo.summary import Stored, Summary, same_value, summarize
from archioc.demo.updates import Update, Value

NOW = 1_700_000_000 * 10**9
NEVER_PROCESSED = 631_152_000 * 10**9
CHANGING = DemoRecord("SR:X", "calc", static=False)
STATIC = DemoRecord("SR:NAME", "stringin", static=True)


def _update(time_ns: int, value: Value, channel: str = "SR:X") -> Update:
    return Update(channel, "DBR_TIME_DOUBLE", time_ns, value, severity=0, status=0, received_ns=time_ns + 1000)


def _counts(filtered: int = 0, stored: int = 0) -> Counts:
    return Counts(received=filtered + stored, generated=0, filtered=filtered, stored=stored, pending=0, rejected=0, dropped=0)


def _summary(seen: list[Update], stored: Stored, record: DemoRecord = CHANGING, filtered: int = 0) -> Summary:
    counts = _counts(filtered, len(stored))
    return summarize([record], {record.name: seen}, {record.name: stored}, ArchiverCounts(counts, {record.name: counts}))


def test_everything_stored_passes() -> None:
    """A record whose every update is stored with its stamp and value passes."""
    seen = [_update(NOW + step, float(step)) for step in range(100)]
    summary = _summary(seen, [(update.time_ns, repr(update.value)) for update in seen])
    assert summary.passed
    assert summary.unexplained == 0
    assert summary.records[0].matched == 100


def test_a_missing_update_is_unexplained() -> None:
    """One update that is nowhere and for which nothing was counted fails the demo."""
    seen = [_update(NOW + 100 * step, float(step)) for step in range(100)]
    summary = _summary(seen, [(update.time_ns, repr(update.value)) for update in seen[:-1]])
    assert summary.unexplained == 1
    assert not summary.passed


def test_a_wrong_value_is_unexplained() -> None:
    """A sample at the right time with another value does not count as stored."""
    assert _summary([_update(NOW, 1.0)], [(NOW, "1.0000000000000002")]).unexplained == 1


def test_filtered_updates_are_explained_but_not_stored() -> None:
    """What the archiver counted as filtered is explained, yet nine in ten must be stored."""
    seen = [_update(NOW + 100 * step, float(step)) for step in range(20)]
    samples = [(update.time_ns, repr(update.value)) for update in seen]
    assert _summary(seen, samples[:18], filtered=2).passed
    summary = _summary(seen, samples[:17], filtered=3)
    assert summary.records[0].explained == 3
    assert summary.unexplained == 0
    assert not summary.passed


def test_a_second_value_with_the_same_stamp_is_one_nanosecond_later() -> None:
    """Two values with one stamp are both found where the archiver puts them."""
    assert _summary([_update(NOW, 1.0), _update(NOW, 2.0)], [(NOW, "1.0"), (NOW + 1, "2.0")]).passed


def test_a_static_record_needs_its_value_at_any_time() -> None:
    """A record that was never processed is stored at the time it was received; another value fails."""
    seen = [_update(NEVER_PROCESSED, "ring", STATIC.name)]
    assert _summary(seen, [(NOW, "ring")], STATIC).passed
    assert not _summary(seen, [(NOW, "rang")], STATIC).passed


def test_the_first_value_is_the_state_at_its_time() -> None:
    """What the client got on subscribing may have a stamp of its own, if the newest sample has its value; any other update may not."""
    stored = [(NOW, "1.0"), (NOW + 900, "2.0")]
    assert _summary([_update(NOW + 500, 1.0), _update(NOW + 900, 2.0)], stored).passed
    assert not _summary([_update(NOW + 500, 2.0), _update(NOW + 900, 2.0)], stored).passed
    assert not _summary([_update(NOW, 1.0), _update(NOW + 500, 1.0), _update(NOW + 900, 2.0)], stored).passed
    assert not _summary([_update(NOW - 500, 1.0)], stored).passed


def test_a_changing_record_not_yet_processed() -> None:
    """A first value without a stamp is the one stored when it was received."""
    assert _summary([_update(NEVER_PROCESSED, 1.0)], [(NEVER_PROCESSED + 500, "1.0")]).passed
    assert not _summary([_update(NEVER_PROCESSED, 1.0)], [(NEVER_PROCESSED + 500, "2.0")]).passed


def test_a_record_that_was_never_seen_fails() -> None:
    """A record of which the client saw nothing cannot pass."""
    assert not _summary([], [(NOW, "1.0")]).passed


def test_counts_that_do_not_balance_fail() -> None:
    """An update that the archiver received and lost without counting it fails the demo although no record misses it."""
    lost = Counts(received=2, generated=0, filtered=0, stored=1, pending=0, rejected=0, dropped=0)
    seen = {CHANGING.name: [_update(NOW, 1.0)]}
    summary = summarize([CHANGING], seen, {CHANGING.name: [(NOW, "1.0")]}, ArchiverCounts(lost, {CHANGING.name: _counts(stored=1)}))
    assert summary.unexplained == 0
    assert not summary.passed


@given(st.floats(allow_nan=True) | st.integers(-(2**31), 2**31 - 1))
def test_a_number_equals_its_own_text_and_no_other(number: float) -> None:
    """Numbers are compared to the last bit; NaN is NaN."""
    assert same_value(number, repr(number))
    if math.isfinite(number):
        assert not same_value(number, repr(math.nextafter(number, math.inf)))


@pytest.mark.parametrize(
    ("value", "text", "same"),
    [
        ("12", "12", True),
        ("12", "12.0", False),
        ([1.5, 2.0], "[1.5, 2.0]", True),
        ([1.5, 2.0], "[1.5]", False),
        (["a"], '["a"]', True),
        ([1], "", False),
        (1.0, "", False),
        (1.0, "On", False),
    ],
)
def test_texts_and_arrays(value: Value, text: str, same: bool) -> None:
    """Texts are compared as they are, arrays as JSON lists, and what cannot be read is different."""
    assert same_value(value, text) is same


def test_the_file_says_what_the_summary_says(tmp_path: Path) -> None:
    """summary.json has the verdict, the conservation line and a line for each record."""
    summary = _summary([_update(NOW, 1.0)], [])
    summary.write(tmp_path / "summary.json")
    content = json.loads((tmp_path / "summary.json").read_text())
    assert (content["passed"], content["unexplained"], content["conservation"]["balanced"]) == (False, 1, True)
    assert content["records"][0]["name"] == "SR:X"
    assert content["records"][0]["unexplained"] == 1
