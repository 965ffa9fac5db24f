"""`python -m tests.processes.impatient_archioc`: `archioc` whose supervisor starts a killed process again at once, however often it dies.

The back-off would make a hundred kills take half an hour. It also takes a process that gives no sign of life for dead after seconds.
"""

from __future__ import annotations

from archioc import supervisor
from archioc.cli.main import main

if __name__ == "__main__":
    supervisor.HEALTHY_S = 0.0
    supervisor.SILENT_S = 4.0
    main()
