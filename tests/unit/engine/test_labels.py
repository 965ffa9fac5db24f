from __future__ import annotations

import pytest

from archioc.core.spool.batch import NO_BLOB, Kind
from archioc.engine.sampling.labels import add_labels
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import T0, Arrival, to_updates

LABELS: dict[int, tuple[bytes, ...]] = dict.fromkeys((0, 1), (b"off", b"on", b"trip\xff"))


@pytest.fixture
def sampler() -> Sampler:
    made = Sampler(2)
    made.wanted.enable[:] = True
    return made


def labels(
    sampler: Sampler, *states: float, row: int = 0, start: int = 0, names: dict[int, tuple[bytes, ...]] = LABELS
) -> list[bytes | None]:
    """The labels that samples of these states get, None where a sample has none."""
    arrivals = [Arrival(row, T0 + start + at, T0 + start + at - 100, state, Kind.ENUM) for at, state in enumerate(states)]
    sampled = sampler.accept(to_updates(arrivals))
    add_labels(sampled.samples, sampled.blobs, names, sampler.memory)
    return [None if at == NO_BLOB else sampled.blobs[at] for at in sampled.samples["blob"].tolist()]


def test_a_label_is_written_when_the_state_changes(sampler: Sampler) -> None:
    """Within a batch and from one batch to the next a sample has a label when its state is not that of the sample before."""
    assert labels(sampler, 0, 0, 1, 1, 0) == [b"off", None, b"on", None, b"off"]
    assert labels(sampler, 0, 2, start=10) == [None, b"trip\xff"]


def test_rows_have_their_own_labels(sampler: Sampler) -> None:
    """The state of one channel says nothing about another."""
    labels(sampler, 1)
    assert labels(sampler, 1, row=1) == [b"on"]


def test_a_state_without_a_name_has_no_label(sampler: Sampler) -> None:
    """An index beyond the names the IOC gave has none, and the next known state has."""
    assert labels(sampler, 7, 7, 1) == [None, None, b"on"]


def test_labels_that_come_late_are_written_with_the_next_sample(sampler: Sampler) -> None:
    """Samples that came before the names leave the label to the first sample after them."""
    assert labels(sampler, 1, names={}) == [None]
    assert labels(sampler, 1, 1, start=10) == [b"on", None]


def test_a_generated_sample_repeats_the_label(sampler: Sampler) -> None:
    """A trace that resumes tells its state's name again."""
    labels(sampler, 1)
    sampler.fresh[0] = True
    assert labels(sampler, 1, start=10) == [None, b"on"]


def test_the_label_after_a_resumed_trace_is_that_of_the_newest_state(sampler: Sampler) -> None:
    """A state that returns after the drain in which the trace resumed is a change, and has its label."""
    sampler.fresh[0] = True
    assert labels(sampler, 0, 1) == [b"off", b"off", b"on"]
    assert labels(sampler, 0, start=10) == [b"off"]
