"""Nothing gets lost: hypothesis drives engine and writer around a spool through faults of disk, stores and processes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from archioc.core.config.config import WhenFull
from tests.unit.core.spool.model_store import Mood
from tests.unit.core.spool.world import Memory, World, attempt

_DIES = st.none() | st.integers(0, 45)
"""Points of death to pass before the process is killed; None: it lives."""


class SpoolMachine(RuleBasedStateMachine):
    """What may happen."""

    memory: Memory

    @initialize(when_full=st.sampled_from([WhenFull.DROP_OLDEST, WhenFull.DROP_OLDEST, WhenFull.DROP_NEWEST]))
    def begin(self, when_full: WhenFull) -> None:
        self.world = World(self.memory, when_full)

    @rule(count=st.integers(0, 7), dies=_DIES)
    def commit(self, count: int, dies: int | None) -> None:
        self.world.send(count)
        self.world.disk.dies_in = dies
        attempt(self.world.commit, self.world.kill_engine)
        self.world.disk.dies_in = None

    @rule(files=st.integers(1, 3), dies=_DIES)
    def deliver(self, files: int, dies: int | None) -> None:
        self.world.disk.dies_in = dies
        for _ in range(files):
            attempt(self.world.deliver, self.world.kill_writer)
        self.world.disk.dies_in = None

    @rule(late=st.booleans(), newest_first=st.booleans())
    def answers_come_otherwise(self, late: bool, newest_first: bool) -> None:
        self.world.late, self.world.newest_first = late, newest_first
        self.world.kill_writer()

    @rule(count=st.integers(1, 7))
    def commit_while_sending(self, count: int) -> None:
        self.world.send(count)
        attempt(self.world.commit_while_sending, self.world.kill_writer)

    @rule(mood=st.sampled_from(Mood))
    def stores_change(self, mood: Mood) -> None:
        for store in self.world.stores.values():
            store.mood = mood

    @rule(files=st.integers(0, 3))
    def spool_is_full(self, files: int) -> None:
        self.world.fill(files)

    @rule()
    def spool_has_room(self) -> None:
        self.world.empty_disk()

    @rule(full=st.booleans(), read_only=st.booleans(), fails_in=st.none() | st.integers(0, 40))
    def disk_fails(self, full: bool, read_only: bool, fails_in: int | None) -> None:
        self.world.disk.full, self.world.disk.read_only, self.world.disk.fails_in = full, read_only, fails_in

    @rule()
    def disk_is_well(self) -> None:
        self.world.disk.heal()

    @rule()
    def file_gets_damaged(self) -> None:
        self.world.damage()

    @rule()
    def engine_is_killed(self) -> None:
        self.world.kill_engine()

    @rule()
    def writer_is_killed(self) -> None:
        self.world.kill_writer()

    @rule(seed=st.integers(0, 999), part=st.sampled_from([0.0, 0.0, 0.5, 1.0]))
    def power_is_lost(self, seed: int, part: float) -> None:
        self.world.lose_power(seed, part)

    @rule(count=st.integers(1, 3), full=st.booleans(), more=st.integers(0, 1), dies=_DIES)
    def engine_dies_and_then_the_power(self, count: int, full: bool, more: int, dies: int | None) -> None:
        """What a killed engine left in the page cache is taken up by the next one, and then the machine boots."""
        self.world.disk.heal()
        self.commit(1, None)
        if full:
            self.world.fill(0)
        self.commit(count, dies)
        for _ in range(2):
            self.commit(more, None)
        self.world.check()
        self.world.lose_power(0, 0.0)

    @rule()
    def another_store(self) -> None:
        self.world.switch()

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        """All faults end; then everything must come to its end."""
        if not hasattr(self, "world"):
            return
        self.world.come_to_an_end()


def test_nothing_is_lost(memory: Memory) -> None:
    """Whatever is killed, fails, is full or loses power: each sample is stored, refused, waits, or is dropped and told. (SPL-04)"""
    run_state_machine_as_test(
        type("Machine", (SpoolMachine,), {"memory": memory}),
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def test_a_stored_file_that_is_put_back_and_damaged_may_be_dropped(memory: Memory) -> None:
    """A batch whose acknowledgement got lost, and whose file is damaged and dropped then, is told as lost at most once."""
    steps = SpoolMachine()
    steps.memory = memory
    steps.begin(WhenFull.DROP_OLDEST)
    steps.stores_change(Mood.FAILS_AFTERWARDS)
    steps.commit_while_sending(1)
    steps.engine_dies_and_then_the_power(1, full=False, more=0, dies=None)
    steps.engine_dies_and_then_the_power(1, full=True, more=0, dies=None)
    steps.file_gets_damaged()
    steps.commit_while_sending(1)
    steps.commit(0, None)
    steps.commit_while_sending(1)
    steps.file_gets_damaged()
    steps.engine_dies_and_then_the_power(1, full=False, more=0, dies=None)
    steps.teardown()


@pytest.mark.parametrize("mood", [Mood.UNAVAILABLE, Mood.FAILS_AFTERWARDS])
def test_what_has_been_sent_is_not_dropped(memory: Memory, mood: Mood) -> None:
    """A full spool never gives up a batch that the store may have, also after a failure and a kill of the writer. (SPL-05)"""
    world = World(memory, WhenFull.DROP_OLDEST)
    for _ in range(3):
        world.send(3)
        world.commit()
    world.stores[world.destination].mood = mood
    assert not attempt(world.deliver, world.kill_writer)
    world.kill_writer()
    for _ in range(4):
        world.fill(0)
        world.send(3)
        world.commit()
    world.check()
    assert not world._twice
    dropped = int(world.table.ledger.head["dropped_spool_full"][0])
    world.come_to_an_end()
    assert dropped == len(world.missing()) > 0
