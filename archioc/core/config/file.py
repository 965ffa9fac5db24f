"""Reading a configuration file: one object, or one clear line about what is wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from archioc.core.config.config import Config
from archioc.core.config.declared_channels import Declaration, declaration_faults, declaration_of, fingerprint_of
from archioc.core.config.faults import schema_faults
from archioc.core.config.shard_block import pop_shard
from archioc.core.config.yaml_positions import Fault, YamlSyntaxError, YamlTree, collector_paused, key_path, parse_yaml
from archioc.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


DECLARING = frozenset({"policies", "groups", "channels"})
"""The blocks that declare channels. They may be long, and only the ioc process needs them, when they have changed."""


def load_config(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError."""
    return parse_config(decode_config(read_config(path), path), path)


def load_blocks(path: Path) -> Config:
    """The configuration in a file without policies, groups and channels, which are not even looked at. Raises ConfigError."""
    return parse_config(decode_config(read_config(path), path), path, without=DECLARING)


def load_declaration(path: Path) -> Declaration:
    """What a file declares; the whole file is checked. Raises ConfigError."""
    content = read_config(path)
    config = parse_config(decode_config(content, path), path)
    return declaration_of(config, fingerprint_of(content, config.own_shard))


def read_config(path: Path) -> bytes:
    """The content of a file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(path, None, "", f"cannot be read: {error.strerror or error}") from None


def decode_config(content: bytes, path: Path) -> str:
    """The content of a file as text. Raises ConfigError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, line, "", "is not UTF-8 text") from None


def parse_config(text: str, path: Path, without: Collection[str] = ()) -> Config:
    """The configuration in `text`, as if it stood in the file `path`, where its relative paths begin.

    without: blocks that are left out. Raises ConfigError for the first fault in the order of the file, and says how many
    more there are.
    """
    with collector_paused():
        try:
            tree = parse_yaml(text, without)
        except YamlSyntaxError as error:
            raise ConfigError(path, error.line, "", str(error)) from None
        prefix = pop_shard(tree)
        try:
            config = Config.model_validate(tree.value, context={"path": path.resolve(), "prefix": prefix})
        except ValidationError as error:
            ill_formed = {fault.loc for fault in tree.faults}
            broken = (fault for fault in schema_faults(Config, error, tree) if fault.loc not in ill_formed)
            raise _first(path, [*tree.faults, *broken]) from None
        faults = [*tree.faults, *_declaration_faults(config, tree)]
    if faults:
        raise _first(path, faults)
    return config


def _declaration_faults(config: Config, tree: YamlTree) -> list[Fault]:
    by_place = {found.loc: found for found in reversed(list(declaration_faults(config)))}
    return [tree.fault(found.loc, found.message) for found in by_place.values()]


def _first(path: Path, faults: list[Fault]) -> ConfigError:
    first = min(faults, key=lambda fault: (fault.line, fault.column))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ConfigError(path, first.line, key_path(first.loc), first.message + more)
