"""`python -m archioc`: the command line."""

from __future__ import annotations

from archioc.cli.main import main

if __name__ == "__main__":
    main()
