"""Which shard a channel belongs to: rendezvous hashing, as `docs/reference/contract/shards.md` lays down.

The seed of a channel is the BLAKE2b digest of its name, 8 bytes read as a little-endian number; the weight of shard i is the
output number i, counted from 0, of SplitMix64 (Steele, Lea, Flood 2014) with this seed; the highest weight owns the channel.
A weight does not depend on the number of shards, so another shard takes channels from each of the others and moves nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


def owners_of(names: Sequence[str], count: int) -> npt.NDArray[np.int64]:
    """The shard, 0 to count - 1, of each channel; names as `channel_name` gives them. Shape (len(names),)."""
    owners = np.zeros(len(names), np.int64)
    if count <= 1 or not len(names):
        return owners
    state = _seeds(names)
    highest = np.zeros(len(names), np.uint64)
    for shard in range(count):
        state += _GAMMA
        weight = _mixed(state)
        higher = weight > highest
        owners[higher] = shard
        highest[higher] = weight[higher]
    return owners


def owner_of(name: str, count: int) -> int:
    """The shard, 0 to count - 1, of a channel; name as `channel_name` gives it."""
    steps = np.arange(1, count + 1, dtype=np.uint64)
    return int(np.argmax(_mixed(_seeds([name]) + steps * _GAMMA)))


def _seeds(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    digest = hashlib.blake2b
    joined = b"".join(digest(name.encode(errors="surrogatepass"), digest_size=8).digest() for name in names)
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The output function of SplitMix64."""
    mixed = (state ^ (state >> _S30)) * _MIX_1
    mixed = (mixed ^ (mixed >> _S27)) * _MIX_2
    return mixed ^ (mixed >> _S31)
