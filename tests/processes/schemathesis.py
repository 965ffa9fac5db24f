from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes.tools import missing_tool

_ENVIRONMENT = Path(__file__).parents[2] / ".cache/clients/schemathesis"

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
LONGEST_S = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What schemathesis found. failed: whether an answer breaks the contract; told: its words."""

    failed: bool
    told: str


def run_schemathesis(url: str, directory: Path, examples: int, seed: int, phases: Sequence[str], settings: str = "") -> Outcome:
    """Make requests of each operation of the OpenAPI and compare the answers with it. settings: as in its `schemathesis.toml`.

    The test is skipped where it is not installed.
    """
    if not (_ENVIRONMENT / "ready").exists():
        missing_tool("clients", "`make proof` installs schemathesis into .cache/clients")
    file = directory / "schemathesis.toml"
    file.write_text(settings)
    command = [str(_ENVIRONMENT / "bin/schemathesis"), "--config-file", str(file), "run", f"{url}/openapi.json"]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--phases", ",".join(phases), "--checks", ",".join(CHECKS)]
    command += ["--generation-database", "none", "--workers", "2", "--warnings", "off", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False, cwd=directory)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return Outcome(done.returncode == 1, done.stdout)
