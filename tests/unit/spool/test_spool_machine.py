"""Nothing gets lost: hypothesis drives engine and writer around a spool through faults of disk, stores and processes."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import db.delivery_order
import engine.commit
import engine.room
from archioc.core.config import WhenFull
from archioc.core.table import ChannelTable
from engine.ring import EventRing
from tests.unit.spool.model_store import Mood
from tests.unit.spool.world import Memory, World, attempt

ROOT = Path(__file__).parents[3]
SOURCES = ("archioc/core/spool.py", "engine/recovery.py", "engine/commit.py", "db/delivery.py", "db/quarantine.py")

_DIES = st.none() | st.integers(0, 45)
"""Points of death to pass before the process is killed; None: it lives."""


class SpoolMachine(RuleBasedStateMachine):
    """What may happen. memory, removed_sync: see `World`."""

    memory: Memory
    removed_sync: tuple[str, int] | None = None

    @initialize(when_full=st.sampled_from([WhenFull.DROP_OLDEST, WhenFull.DROP_OLDEST, WhenFull.DROP_NEWEST]))
    def begin(self, when_full: WhenFull) -> None:
        self.world = World(self.memory, when_full, self.removed_sync)

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
        world = self.world
        world.disk.heal()
        world.empty_disk()
        for store in world.stores.values():
            store.mood = Mood.WELL
        world.commit()
        world.commit()
        world.tell_losses()
        for _ in world.stores:
            world.switch()
            while world.deliver():
                pass
        world.engine()
        world.check_end()


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    run = tmp_path_factory.mktemp("run")
    table, ring = ChannelTable(run), EventRing(run / "ring")
    table.create(4)
    ring.create(1, 4)
    yield Memory(table, ring)
    ring.close()
    table.close()


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Thousands of lines would hide the steps that led to a failure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are told at once, and listings are never old."""
    monkeypatch.setattr(engine.commit, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(engine.room, "RECOUNT_FULL_S", 0.0)
    monkeypatch.setattr(db.delivery_order, "LOOK_S", 0.0)


def machine(memory: Memory, removed_sync: tuple[str, int] | None = None) -> type[SpoolMachine]:
    return type("Machine", (SpoolMachine,), {"memory": memory, "removed_sync": removed_sync})


def test_nothing_is_lost(memory: Memory) -> None:
    """Whatever is killed, fails, is full or loses power: each sample is stored, refused, waits, or is dropped and told. (SPL-04)"""
    run_state_machine_as_test(
        machine(memory),
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def fsync_sites() -> list[tuple[str, int]]:
    """File and line of every call that makes something of the spool durable."""
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse((ROOT / source).read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                durable = any(keyword.arg == "durable" and ast.unparse(keyword.value) == "True" for keyword in node.keywords)
                if name == "sync_directory" or (name == "write_file" and durable):
                    found.append((str(ROOT / source), node.lineno))
    return found


def site_name(site: tuple[str, int]) -> str:
    """The function that a site is in, and how many lines into it."""
    path, line = site
    functions = [node for node in ast.walk(ast.parse(Path(path).read_text())) if isinstance(node, ast.FunctionDef) and node.lineno < line]
    inner = max(functions, key=lambda node: node.lineno)
    return f"{inner.name}+{line - inner.lineno}"


def test_every_fsync_is_known() -> None:
    """All that the spool makes durable is among the calls that the next test takes out."""
    assert sorted(site_name(site).partition("+")[0] for site in fsync_sites()) == [
        "create",
        "create",
        "discard",
        "keep",
        "keep",
        "prepare",
        "publish",
        "settle_discarded",
        "settle_published",
    ]


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("site", fsync_sites(), ids=site_name)
def test_without_any_fsync_something_is_lost(memory: Memory, site: tuple[str, int]) -> None:
    """The same machine fails as soon as one fsync is left out. (SPL-02, SPL-16)"""
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine(memory, site),
            settings=settings(
                max_examples=1000,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
