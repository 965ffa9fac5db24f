"""The JSON schema and the reference page tell of every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archioc.core.config import schema as config_schema

REFERENCE = config_schema.DEFAULT_FILE.with_name("config.md")


def keys(schema: dict[str, Any], block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of a block and of the blocks in it, as a path without indices, with its schema."""
    for name, value in block.get("properties", {}).items():
        yield name, value
        for part in _parts(value):
            if "$ref" in part:
                inner = schema["$defs"][part["$ref"].rpartition("/")[2]]
                for form in _parts(inner):
                    yield from ((f"{name}.{path}", found) for path, found in keys(schema, form))


def _parts(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield value
    for inner in (value.get("items"), *value.get("patternProperties", {}).values(), *value.get("anyOf", [])):
        if isinstance(inner, dict):
            yield from _parts(inner)


SCHEMA: dict[str, Any] = json.loads(config_schema.schema_text())
KEYS = dict(keys(SCHEMA, SCHEMA))


def test_schema_reaches_the_deepest_keys() -> None:
    """Keys of blocks inside lists and groups are found, so that the tests below look at all of them."""
    assert {"store.influxdb.token_file", "access.control.hosts", "groups.channels.rate", "channels.pv", "policies.match"} <= KEYS.keys()


@pytest.mark.parametrize("key", KEYS)
def test_key_is_described(key: str) -> None:
    """Every key, or the block it holds, has a description in the schema."""
    name = KEYS[key].get("$ref", "").rpartition("/")[2]
    assert KEYS[key].get("description") or SCHEMA["$defs"][name]["description"]


@pytest.mark.parametrize("key", KEYS)
def test_key_is_in_the_reference(key: str) -> None:
    """Every key stands in a table row of the reference page, under the heading of its block."""
    block, _, name = key.rpartition(".")
    if block in {"groups.channels", "groups.settings", "channels", "policies"} and name not in {"pv", "match"}:
        block = "Settings of channels"
    sections = {part.partition("\n")[0].strip("` "): part for part in REFERENCE.read_text().split("\n## ")}
    place = {"groups.channels": "channels", "": "Blocks", "access.control": "access", "access.expert": "access"}.get(block, block)
    assert f"\n| `{name}` |" in sections[place]


def test_dialect_and_closed_blocks() -> None:
    """The schema names its dialect and refuses unknown keys as the program does."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["$defs"]["Archiver"]["additionalProperties"] is False


def test_committed_schema_is_fresh() -> None:
    """The file in the documentation is what the program would write."""
    assert config_schema.main(["--check"]) == 0


def test_check_and_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` fails with a message on a missing or stale file and changes nothing; without it the file is written."""
    file = tmp_path / "schema.json"
    assert config_schema.main(["--check", str(file)]) == 1
    assert not file.exists()
    assert f"{file} is not fresh" in capsys.readouterr().err
    assert config_schema.main([str(file)]) == 0
    assert config_schema.main(["--check", str(file)]) == 0
    file.write_text("{}")
    assert config_schema.main(["--check", str(file)]) == 1
