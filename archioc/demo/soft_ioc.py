"""`python -m archioc.demo.soft_ioc PARENT FILE.db [MACROS]`: an EPICS soft IOC (that of the epicscorelibs wheel, without PV Access).

It says `IOC Running` on standard error when its records can be reached, and runs until SIGTERM, SIGINT
or the end of the process PARENT.
Where and on which port it serves, EPICS_CAS_* variables tell.
"""

from __future__ import annotations

import signal
import sys

from epicscorelibs.ioc import start_ioc

from archioc.core.process import stop_with_parent

_STOP = {signal.SIGTERM, signal.SIGINT}


def main(parent: int, database: str, macros: str = "") -> None:
    # Blocked before the IOC makes its threads, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    stop_with_parent(parent)
    start_ioc(database, macros)
    signal.sigwait(_STOP)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:4])
