"""The block `shard` of the configuration, and the placeholder for its number in the block `archiver`."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from archioc.core.config.value_types import Block, Duration, between
from archioc.core.shard import PLACEHOLDER

if TYPE_CHECKING:
    from archioc.core.config.yaml_positions import Fault, YamlTree

MAX_SHARDS = 1000

VARIABLES = (("ARCHIOC_SHARD_INDEX", 0), ("ARCHIOC_SHARD_SLOT", 1))
"""Environment variables that go before `index`, the first that is set, and from where they count; Swarm's slots begin at 1."""

_NAMED = ("name", "prefix")
"""Keys of `archiver` that must tell shards apart."""

_PLACES = ("state_dir", "run_dir")
"""Keys of `archiver` that may."""


def read_index(value: object) -> int:
    """The number of this shard: from the environment, or as the file says. Raises ValueError."""
    for variable, first in VARIABLES:
        text = os.environ.get(variable, "")
        if text:
            if not _is_number(text) or int(text) < first:
                raise ValueError(f"the environment variable {variable} is {text[:40]!r}, must be a number from {first} on")
            return int(text) - first
    if value == "hostname":
        host = socket.gethostname().partition(".")[0]
        found = re.search(r"-([0-9]{1,4})\Z", host)
        if not found:
            raise ValueError(f"the name of this host, {host}, does not end with - and a number; set ARCHIOC_SHARD_INDEX")
        return int(found[1])
    if not _is_number(str(value)):
        raise ValueError("must be a number from 0 on, or hostname")
    return int(str(value))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,4}", text) is not None


_INDEX_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9999}, {"const": "hostname"}]}


class ShardBlock(Block):
    """One of several archivers with the same file, each of which takes its part of the channels."""

    index: Annotated[int, BeforeValidator(read_index), WithJsonSchema(_INDEX_SCHEMA)] = Field(default="hostname", validate_default=True)
    """Number of this shard from 0 on, or `hostname`: that at its end; ARCHIOC_SHARD_INDEX, or ARCHIOC_SHARD_SLOT less 1, go before."""

    count: Annotated[int, Field(ge=1, le=MAX_SHARDS)]
    """How many shards there are, 1 to 1000; a shard whose number is not below it hands all its channels over."""

    handover: Annotated[Duration, between(0, 86400, "s")] = 60.0
    """How long a channel that now belongs to another shard is archived here beside it (duration, 0s to 1d)."""


def pop_shard(tree: YamlTree) -> str:
    """Put the number of the shard in the place of its placeholder; faults join those of the tree.

    Returns the prefix as it was, for the names of other shards; empty when there is none.
    """
    root = tree.value
    block, archiver = (root.get("shard"), root.get("archiver")) if isinstance(root, dict) else (None, None)
    if not isinstance(root, dict) or not isinstance(archiver, dict | None):
        return ""
    archiver = archiver or {}
    tree.faults += _faults(tree, archiver, is_shard=block is not None)
    if isinstance(block, dict):
        number = _number_or_zero(block.get("index", "hostname"))
        put = {key: archiver[key].replace(PLACEHOLDER, number) for key in (*_NAMED, *_PLACES) if isinstance(archiver.get(key), str)}
        root["archiver"] = {**archiver, **put}
    prefix = archiver.get("prefix")
    return prefix if isinstance(prefix, str) else ""


def _faults(tree: YamlTree, archiver: dict[str, object], *, is_shard: bool) -> Iterator[Fault]:
    for key in (*_NAMED, *_PLACES):
        has = PLACEHOLDER in str(archiver.get(key, ""))
        if has and not is_shard:
            yield tree.fault(("archiver", key), f"holds {PLACEHOLDER}, but there is no block shard")
        elif is_shard and not has and key in _NAMED:
            yield tree.fault(
                ("archiver", key), f"must hold {PLACEHOLDER}, in place of which each shard puts its number, so that no two are the same"
            )


def _number_or_zero(index: object) -> str:
    """The number of the shard; one that cannot be read is told as a fault of its own key."""
    try:
        return str(read_index(index))
    except ValueError:
        return "0"
