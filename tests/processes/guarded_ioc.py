"""`python -m tests.processes.guarded_ioc PARENT FILE.acf FILE.db [MACROS]`: a soft IOC with an access security file."""

from __future__ import annotations

import sys

from epicscorelibs import ioc

from archioc.demo import soft_ioc

if __name__ == "__main__":
    ioc.dbCore.asSetFilename(sys.argv[2].encode())
    soft_ioc.main(int(sys.argv[1]), *sys.argv[3:5])
