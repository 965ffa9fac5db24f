"""`archioc channels merge`: what several shards export, as one file for all of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archioc.core.config.file import decode_config, parse_config, read_config
from archioc.core.config.yaml_positions import parse_yaml
from archioc.core.errors import ConfigError
from archioc.ioc.commands.exporting import dump_blocks

BLOCKS = ("policies", "groups", "channels")


def merge_exports(paths: Sequence[Path]) -> None:
    """Write policies, groups and channels of several files as the blocks of one. Raises ConfigError."""
    sys.stdout.write(dump_blocks(merged([_blocks(path) for path in paths])))


def merged(files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The blocks of several files as those of one. What stands in several holds as the first of them has it.

    A channel that is handed over is in the exports of two shards; the file of its new owner should come first.
    """
    policies: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    taken: set[str] = set()
    free: list[object] = []
    for file in files:
        for policy in file.get("policies") or []:
            policies.setdefault(policy["match"], policy)
        for name, group in (file.get("groups") or {}).items():
            block = group or {}
            found = groups.setdefault(name, {**block, "channels": []})
            found["channels"] += _new(block.get("channels") or [], taken)
        free += _new(file.get("channels") or [], taken)
    return {"policies": list(policies.values()), "groups": groups, "channels": free}


def _new(entries: Sequence[Any], taken: set[str]) -> list[object]:
    """The entries of channels that no file has had yet."""
    new = []
    for entry in entries:
        name = entry if isinstance(entry, str) else entry["pv"]
        if name not in taken:
            taken.add(name)
            new.append(entry)
    return new


def _blocks(path: Path) -> dict[str, Any]:
    text = decode_config(read_config(path), path)
    parse_config(text, path)
    content = parse_yaml(text).value or {}
    assert isinstance(content, dict)
    for block in content.keys() - set(BLOCKS):
        raise ConfigError(path, None, block, f"is no block that `archioc channels export` writes ({', '.join(BLOCKS)})")
    return content
