"""`python -m archioc.demo.repeater PARENT`: a CA repeater on loopback, on port EPICS_CA_REPEATER_PORT, until SIGTERM or the end of the
process PARENT.

Where there is none, every client of libca starts a `caRepeater` that outlives it.
"""

from __future__ import annotations

import sys

import caproto
from caproto.sync.repeater import run

from archioc.core.process import stop_with_parent


def main(parent: int) -> None:
    stop_with_parent(parent)
    caproto.set_handler(color=False, level="INFO")
    run(host="127.0.0.1")


if __name__ == "__main__":
    main(int(sys.argv[1]))
