"""Each fsync of the spool is needed: short stories with a power cut at their end hold, and one fails as soon as one fsync is left out.

Every story is told once for each moment at which the process may die in its middle, and each of these for several power cuts:
one that takes all that was not fsynced, and some that take a part of it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config.config import WhenFull
from tests.unit.core.spool.model_store import Mood
from tests.unit.core.spool.world import Memory, World, attempt

ROOT = Path(__file__).parents[4]
SOURCES = (
    "archioc/core/spool/spool.py",
    "archioc/engine/commit/recovery.py",
    "archioc/engine/commit/commit.py",
    "archioc/engine/channels/open_gaps.py",
    "archioc/db/delivery/loop.py",
    "archioc/db/delivery/quarantine.py",
    "archioc/db/delivery/retries.py",
)

Site = tuple[str, int]
"""File and line of a call that makes something durable."""

POWER_CUTS = ((0, 0.0), *((seed, 0.5) for seed in range(2)))
"""Seed, and which part of what was not fsynced survives."""


def fsync_sites() -> list[Site]:
    """Every call that makes something of the spool durable."""
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse((ROOT / source).read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                durable = any(keyword.arg == "durable" and ast.unparse(keyword.value) == "True" for keyword in node.keywords)
                if name == "sync_directory" or (name == "write_file" and durable):
                    found.append((str(ROOT / source), node.lineno))
    return found


def function_of(site: Site) -> str:
    """The function that a site is in."""
    path, line = site
    functions = [node for node in ast.walk(ast.parse(Path(path).read_text())) if isinstance(node, ast.FunctionDef) and node.lineno < line]
    inner = max(functions, key=lambda node: node.lineno)
    return inner.name


class Story:
    """A world in which a process dies at the given point of one act; `reached` tells whether there is such a point."""

    def __init__(self, world: World, dies_in: int) -> None:
        self.world, self._dies_in = world, dies_in
        self.reached = False

    def commit(self, count: int) -> None:
        """So many updates reach the ring, and the engine commits."""
        self.world.send(count)
        self.world.commit()

    def deadly_commit(self, count: int) -> None:
        """The same, and the engine dies in the middle of it; the next one takes over and has room."""
        self.world.send(count)
        self._dying(self.world.commit, self.world.kill_engine)
        self.world.empty_disk()
        self.world.commit()

    def deadly_delivery(self) -> None:
        """The writer dies in the middle of a delivery; the next one takes over."""
        self._dying(self.world.deliver, self.world.kill_writer)
        self.world.deliver()

    def _dying(self, act: Callable[[], object], killed: Callable[[], None]) -> None:
        self.world.disk.dies_in = self._dies_in
        self.reached = not attempt(act, killed)
        self.world.disk.dies_in = None


def killed_in_a_commit(story: Story) -> None:
    story.commit(3)
    story.deadly_commit(3)


def killed_in_a_drop(story: Story) -> None:
    story.commit(3)
    story.commit(3)
    story.world.fill(0)
    story.deadly_commit(1)


def killed_in_a_refusal(story: Story) -> None:
    story.world.stores[story.world.destination].mood = Mood.REFUSES_SOME
    story.commit(3)
    story.commit(3)
    story.deadly_delivery()
    story.world.deliver()


def killed_when_a_gap_opens(story: Story) -> None:
    story.commit(3)
    story.world.in_gap = True
    story.deadly_commit(3)


STORIES = (killed_in_a_commit, killed_in_a_drop, killed_in_a_refusal, killed_when_a_gap_opens)
FAILS = {
    "create": killed_in_a_commit,
    "prepare": killed_in_a_commit,
    "publish": killed_in_a_commit,
    "settle_published": killed_in_a_commit,
    "discard": killed_in_a_drop,
    "settle_discarded": killed_in_a_drop,
    "keep": killed_in_a_refusal,
    "replace_durably": killed_when_a_gap_opens,
}
"""Which story fails without the fsync of a function."""


def tell(story_of: Callable[[Story], None], memory: Memory, removed: Site | None) -> Iterator[None]:
    """One story with all its endings; an AssertionError where something is lost. Yields after each ending."""
    dies_in, reached = 0, True
    while reached:
        for seed, part in POWER_CUTS:
            world = World(memory, WhenFull.DROP_OLDEST, removed)
            story = Story(world, dies_in)
            story_of(story)
            world.check()
            world.lose_power(seed, part)
            world.come_to_an_end()
            reached = story.reached
            yield
        dies_in += 1


@pytest.mark.parametrize("story_of", STORIES)
def test_the_stories_hold(memory: Memory, story_of: Callable[[Story], None]) -> None:
    """With every fsync in its place nothing is lost in any ending, and there are endings for every moment. (SPL-02, SPL-03)"""
    endings = sum(1 for _ in tell(story_of, memory, None))
    assert endings >= 20 * len(POWER_CUTS)


def test_every_fsync_is_known() -> None:
    """The calls that the next test takes out are found: two where a name and what it names are made durable, one elsewhere."""
    assert Counter(function_of(site) for site in fsync_sites()) == Counter([*FAILS, "create", "keep", "replace_durably"])


@pytest.mark.parametrize("site", fsync_sites(), ids=function_of)
def test_without_any_fsync_something_is_lost(memory: Memory, site: Site) -> None:
    """A story fails as soon as one fsync is left out. (SPL-02, SPL-16)"""
    with pytest.raises(AssertionError):
        for _ in tell(FAILS[function_of(site)], memory, site):
            pass
