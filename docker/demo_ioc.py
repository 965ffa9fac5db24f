"""The storage ring of the demo as an IOC of its own: `python3 demo_ioc.py P=PREFIX`; needs the extra `demo`."""

from __future__ import annotations

import sys

from archioc.demo import soft_ioc
from archioc.demo.records import RING_DB

if __name__ == "__main__":
    soft_ioc.main(0, str(RING_DB), *sys.argv[1:2])
