"""Reading a configuration file: one object, or one clear line about what is wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from archioc.core.config import Config
from archioc.core.config_faults import schema_faults
from archioc.core.config_yaml import Fault, YamlSyntaxError, YamlTree, collector_paused, key_path, parse_yaml
from archioc.core.declared import declaration_faults
from archioc.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def load_config(path: Path, *, channels: bool = True) -> Config:
    """The configuration in a file. Raises ConfigError.

    channels: False for a process that takes its channels from the registry: the declared ones are neither checked nor kept,
    which saves it a kilobyte and 0.1 ms each.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, line, "", "is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(path, None, "", f"cannot be read: {error.strerror or error}") from None
    return parse_config(text, path, channels=channels)


def parse_config(text: str, path: Path, *, channels: bool = True) -> Config:
    """The configuration in `text`, as if it stood in the file `path`, where its relative paths begin.

    Raises ConfigError for the first fault in the order of the file, and says how many more there are. channels: as in `load_config`.
    """
    with collector_paused():
        try:
            tree = parse_yaml(text)
        except YamlSyntaxError as error:
            raise ConfigError(path, error.line, "", str(error)) from None
        if not channels:
            _leave_channels_out(tree.value)
        try:
            config = Config.model_validate(tree.value, context={"path": path.resolve()})
        except ValidationError as error:
            ill_formed = {fault.loc for fault in tree.faults}
            broken = (fault for fault in schema_faults(Config, error, tree) if fault.loc not in ill_formed)
            raise _first(path, [*tree.faults, *broken]) from None
        faults = [*tree.faults, *_declaration_faults(config, tree)]
    if faults:
        raise _first(path, faults)
    return config


def _leave_channels_out(content: object) -> None:
    """Take the declared channels out of what a file holds; what is not of the right form stays, to be complained about."""
    if not isinstance(content, dict):
        return
    content.pop("channels", None)
    groups = content.get("groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        if isinstance(group, dict) and "channels" in group:
            group["channels"] = []


def _declaration_faults(config: Config, tree: YamlTree) -> list[Fault]:
    by_place = {found.loc: found for found in reversed(list(declaration_faults(config)))}
    return [tree.fault(found.loc, found.message) for found in by_place.values()]


def _first(path: Path, faults: list[Fault]) -> ConfigError:
    first = min(faults, key=lambda fault: (fault.line, fault.column))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ConfigError(path, first.line, key_path(first.loc), first.message + more)
