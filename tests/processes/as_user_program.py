"""`python -m tests.processes.as_user_program UID GROUPS WORD...`: the command `archioc WORD...` as another user of the machine.

All modules are loaded before, since Python itself may lie where that user cannot read. GROUPS: numbers with commas between, or -.
"""

from __future__ import annotations

import codecs
import importlib
import os
import pkgutil
import sys

import archioc.cli
import archioc.core
import archioc.db
from archioc.cli.main import main


def _load_all() -> None:
    for package in (archioc.cli, archioc.core, archioc.db):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)

    for encoding in ("utf-8-sig", "idna", "latin-1"):
        codecs.lookup(encoding)


if __name__ == "__main__":
    user, groups, *words = sys.argv[1:]
    _load_all()
    os.chdir("/")
    os.setgroups([] if groups == "-" else [int(one) for one in groups.split(",")])
    os.setgid(int(user))
    os.setuid(int(user))
    sys.argv = ["archioc", *words]
    main()
