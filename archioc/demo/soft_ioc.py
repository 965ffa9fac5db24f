"""`python -m archioc.demo.soft_ioc PARENT FILE.db [MACROS]`: an EPICS soft IOC (that of the epicscorelibs wheel, without PV Access).

It says `serving` on standard error when its records can be reached, and runs until SIGTERM, SIGINT or the end of the process PARENT.
Where and on which port it serves, EPICS_CAS_* variables tell. A server of EPICS takes any other port where that one is in use:
then this program says `not on port N` before.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from epicscorelibs.ioc import start_ioc

from archioc.core.process import stop_with_parent

_STOP = {signal.SIGTERM, signal.SIGINT}


def main(parent: int, database: str, macros: str = "") -> None:
    # Blocked before the IOC makes its threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    stop_with_parent(parent)
    start_ioc(database, macros)
    port = int(os.environ.get("EPICS_CAS_SERVER_PORT", "5064"))
    if not _holds(port):
        sys.stderr.write(f"not on port {port}\n")
    sys.stderr.write("serving\n")
    sys.stderr.flush()
    signal.sigwait(_STOP)


def _holds(port: int) -> bool:
    """Whether a TCP socket of this process is bound to this port."""
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        try:
            one = socket.socket(fileno=int(descriptor.name))
        except OSError:  # no socket
            continue
        found = one.type is socket.SOCK_STREAM and one.family is socket.AF_INET and one.getsockname()[1] == port
        one.detach()  # it stays the server's
        if found:
            return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:4])
