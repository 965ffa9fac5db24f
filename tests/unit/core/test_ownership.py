"""Which shard a channel belongs to: the rule of `docs/reference/contract/shards.md`, and what rendezvous hashing promises."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.ownership import owner_of, owners_of

CONTRACT = Path(__file__).parents[3] / "docs/reference/contract/shards.md"
WORD = 2**64
COUNTS = st.integers(1, 60)
NAMES = st.text(min_size=1, max_size=60)


def owner_by_the_words(name: str, count: int) -> int:
    """The rule of the contract with whole numbers of Python, weight by weight."""
    seed = int.from_bytes(hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest(), "little")

    def weight(shard: int) -> int:
        x = (seed + (shard + 1) * 0x9E3779B97F4A7C15) % WORD
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % WORD
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % WORD
        return x ^ (x >> 31)

    return max(range(count), key=weight)


@given(st.lists(NAMES, max_size=20), COUNTS)
def test_one_many_and_the_rule_agree(names: list[str], count: int) -> None:
    """One channel and many at once get the owners that the rule of the contract gives."""
    expected = [owner_by_the_words(name, count) for name in names]
    assert owners_of(names, count).tolist() == expected
    assert [owner_of(name, count) for name in names] == expected


def test_vectors_of_the_contract() -> None:
    """The owners that the contract names are those that are computed, so that other programs can be tested with them."""
    rows = re.findall(r"^\| `([^`]+)` \| ([0-9a-f]{16}) \| ([0-9 |]+) \|$", CONTRACT.read_text(), re.MULTILINE)
    assert len(rows) >= 5
    for name, digest, owners in rows:
        assert hashlib.blake2b(name.encode(), digest_size=8).hexdigest() == digest
        assert [int(owner) for owner in owners.split("|")] == [owner_of(name, count) for count in (1, 2, 3, 4, 5, 10, 100)], name


@given(st.lists(NAMES, unique=True, max_size=50), COUNTS)
def test_another_shard_takes_and_moves_nothing_else(names: list[str], count: int) -> None:
    """With one shard more each channel stays or goes to the new one."""
    before, after = owners_of(names, count), owners_of(names, count + 1)
    assert set(after[after != before].tolist()) <= {count}


def test_shards_are_equal() -> None:
    """Of 200 000 names as machines have them each of seven shards gets a seventh, to two per cent, also of what a new shard takes."""
    names = [f"SR:BPM{number:06d}:X" for number in range(200_000)]
    share = Counter(owners_of(names, 7).tolist())
    assert all(abs(share[shard] * 7 / len(names) - 1) < 0.02 for shard in range(7))
    taken = owners_of(names, 7)[owners_of(names, 8) == 7]
    assert np.bincount(taken).min() * 7 / len(taken) > 0.9
