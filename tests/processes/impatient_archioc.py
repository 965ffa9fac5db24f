"""`python -m tests.processes.impatient_archioc`: `archioc` whose supervisor starts a killed process again at once, however often it dies.

The back-off would make a hundred kills take half an hour.
"""

from __future__ import annotations

from archioc import supervisor
from archioc.cli.main import main

if __name__ == "__main__":
    supervisor.HEALTHY_S = 0.0
    main()
