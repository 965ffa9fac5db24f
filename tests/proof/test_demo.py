from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archioc.core.directories import SHARED_MEMORY
from archioc.core.machine.python_module import python_module
from archioc.demo.ca_environment import with_variables
from tests.hostile.traps import lay_traps, sprung_traps
from tests.processes.wheel import build_wheel, install_apart
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(540)]


def test_demo_accounts_for_every_update(tmp_path: Path) -> None:
    """The demo of a wheel, started among traps, ends with 0: no trap runs, each change of a record is explained, 90 % are stored."""
    variables = with_variables(install_apart(build_wheel(tmp_path / "wheel"), tmp_path / "installed"))
    where = [sys.executable, "-P", "-c", "import archioc.engine as part; print(part.__file__)"]
    assert str(tmp_path / "installed") in subprocess.run(where, env=variables, capture_output=True, text=True, check=True).stdout
    directory = tmp_path / "demo"
    command = python_module("archioc", "demo", "--minutes", str(counts().demo_minutes), "--directory", str(directory))
    lay_traps(tmp_path)
    with (tmp_path / "demo.log").open("wb") as log:
        done = subprocess.run(command, stdout=log, stderr=log, timeout=500, check=False, env=variables, cwd=tmp_path)
    run_directory = (directory / "state/run").resolve()
    if run_directory.parent == SHARED_MEMORY:
        shutil.rmtree(run_directory)
    assert sprung_traps(tmp_path) == []
    assert done.returncode == 0, (tmp_path / "demo.log").read_text()[-3000:]
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["unexplained"] == 0
    assert summary["conservation"]["balanced"]
    records = summary["records"]
    changing = [record for record in records if not record["static"]]
    assert len(records) >= 55
    assert len(changing) >= 30
    assert all(record["matched"] >= 0.9 * record["witnessed"] for record in changing)
    assert all(record["matched"] >= 1 for record in records)
