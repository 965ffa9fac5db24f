"""The JSON schema of the configuration file: `python -m archioc.core.config.schema [--check] [FILE]`.

Editors use it to complete and check a configuration while it is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from archioc.core.config.config import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFAULT_FILE = Path(__file__).parents[3] / "docs" / "reference" / "config.schema.json"


def schema_text() -> str:
    """The schema as it is kept in the documentation."""
    schema = {"$schema": DIALECT, **Config.model_json_schema(), "title": "ArchIOC configuration"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the schema, or with `--check` only say whether the file is fresh. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m archioc.core.config.schema", description="JSON schema of the configuration file")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is not fresh")
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE)
    options = parser.parse_args(arguments)
    file: Path = options.file
    text = schema_text()
    if not options.check:
        file.write_text(text, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{file} is not fresh; run python -m archioc.core.config.schema\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
