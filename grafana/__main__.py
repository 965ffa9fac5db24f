"""`python -m archioc.grafana [--check]`: write the dashboards (JSON) and the alert rules (YAML), or say whether they are fresh."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana.alerts import RULES, provisioning
from archioc.grafana.boards.alarms import alarms
from archioc.grafana.boards.connections import connections
from archioc.grafana.boards.explorer import explorer
from archioc.grafana.boards.overview import overview
from archioc.grafana.boards.storage import storage
from archioc.grafana.boards.wall import wall

FOLDER = Path(__file__).parent
ALERTS = Path("provisioning/alerting/archioc.yaml")
_OF_INTERVALS = ("auto", "auto_min", "auto_count")
"""The SDK gives these to variables of every kind; Grafana knows them of intervals only."""
_MADE = "# Made by `python -m archioc.grafana` from grafana/alerts.py.\n"


def files() -> dict[Path, str]:
    """Every file that is made, by its path under `grafana/`."""
    boards = [_as_json(make()) for make in (overview, explorer, alarms, connections, storage, wall)]
    made = {Path(f"dashboards/{board['uid']}.json"): json.dumps(board, indent=1, ensure_ascii=False) + "\n" for board in boards}
    panels = {(board["uid"], panel["title"]): panel["id"] for board in boards for panel in board["panels"]}
    made[ALERTS] = _MADE + yaml.safe_dump(provisioning(RULES, panels), sort_keys=False, width=1000)
    return made


def _as_json(board: Dashboard) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(board, cls=JSONEncoder))
    for variable in made["templating"]["list"]:
        for key in _OF_INTERVALS:
            variable.pop(key, None)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` only compare. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m archioc.grafana", description="dashboards and alert rules for Grafana")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not fresh")
    check = parser.parse_args(arguments).check
    stale = []
    for path, text in files().items():
        target = FOLDER / path
        if not check:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            stale.append(str(path))
    if stale:
        sys.stderr.write(f"not fresh: {', '.join(stale)}; run python -m archioc.grafana\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
