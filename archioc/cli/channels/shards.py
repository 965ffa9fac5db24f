"""`archioc channels shard`: which shard channels belong to."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from archioc.core.channel_name import channel_name
from archioc.core.config.file import load_blocks
from archioc.core.ownership import owners_of


def show_owners(path: Path, names: Sequence[str], count: int | None, form: str) -> None:
    """Write the owner of each channel. count: of so many shards, None for as many as the file says.

    Raises ConfigError, and ChannelNameError for what cannot be the name of a channel.
    """
    shard = load_blocks(path).own_shard
    if count is not None:
        shard = dataclasses.replace(shard, count=count)
    channels = [channel_name(name) for name in names]
    owners = owners_of(channels, shard.count).tolist()
    found = list(zip(channels, owners, strict=True))
    if form == "json":
        rows = [{"channel": channel, "shard": owner, "prefix": shard.prefix_of(owner)} for channel, owner in found]
        sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for channel, owner in found:
        sys.stdout.write(f"{channel} {owner} {shard.prefix_of(owner)}\n")
