from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.table.archive_totals import count_up
from archioc.core.table.table import ProcessState, StoreState
from archioc.db.delivery.store_status import StoreStatus, _fitting
from archioc.ioc.pvs.overview import ArchiverState, _judge
from tests.unit.db.delivery.rig import Bench


@given(st.text(max_size=300), st.integers(30, 200))
def test_an_error_is_cut_between_characters(text: str, size: int) -> None:
    """What does not fit is left out in the middle: beginning and end are there, in whole characters."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    found = _fitting(text, size)
    assert len(found) <= size
    shown = found.decode()
    if len(raw) <= size:
        assert shown == text
    else:
        begin, _, end = shown.partition(" ... ") if " ... " not in text else (shown[:3], "", shown[-3:])
        assert text.startswith(begin)
        assert text.endswith(end)


@pytest.mark.parametrize(("waits_s", "state"), [(5, ArchiverState.RUNNING), (20, ArchiverState.DEGRADED)])
def test_a_store_that_has_not_answered_yet(bench: Bench, waits_s: int, state: ArchiverState) -> None:
    """An archiver whose store has not answered since the start does not run well when a batch has waited for 10 s."""
    now = time.time_ns()
    StoreStatus(bench.table.delivery)
    bench.table.delivery.head["spool_oldest"] = now - waits_s * 10**9
    bench.table.delivery.head["state"] = ProcessState.RUNNING
    assert bench.head("store_state") == StoreState.UNKNOWN
    found, reason = _judge(count_up(bench.table), [], now, was_running=True, stopping=False)
    assert found is state
    assert ("has not answered" in reason) is (state is ArchiverState.DEGRADED)
