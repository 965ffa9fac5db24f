from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from archioc.ioc.garbage import keep_collections_short

class Node:
    pass

def cycle():
    made = Node()
    made.me = made
    return weakref.ref(made)

kept = [Node() for _ in range(200_000)]
keep_collections_short()
looked_at = []

def count(phase, info):
    if phase == "start" and info["generation"] == 2:
        looked_at.append(sum(len(gc.get_objects(generation)) for generation in range(3)))

gc.callbacks.append(count)
garbage = []
for _ in range(100_000):
    kept.append(Node())
    if len(kept) % 1000 == 0:
        garbage.append(cycle())
print(len(looked_at), max(looked_at), sum(one() is not None for one in garbage))
"""


def test_full_collections_look_at_what_is_new() -> None:
    """However many objects live, a full collection looks at few, and new garbage in cycles is found all the same."""
    words = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=50).stdout.split()
    collections, most, uncollected = map(int, words)
    assert collections >= 3
    assert most < 50_000
    assert uncollected < 30


PASSING = """
import gc, weakref
from archioc.ioc.garbage import keep_collections_short

class Node:
    pass

kept = [Node() for _ in range(200_000)]
keep_collections_short()
in_use, begun = [], []
for _ in range(200_000):
    made = Node()
    made.me = made
    begun.append(weakref.ref(made))
    in_use.append(made)
    del in_use[:-50], made
in_use.clear()
gc.collect()
print(sum(one() is not None for one in begun))
"""


def test_cycles_in_use_for_a_moment_are_freed() -> None:
    """Cycles that each live on for a while, as those of puts under way, are found after their use, whenever collections came."""
    words = subprocess.run([sys.executable, "-c", PASSING], check=True, capture_output=True, text=True, timeout=50).stdout.split()
    assert int(words[0]) < 1000
