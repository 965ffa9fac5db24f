"""The health check of the image: exit status 0 while the archiver says on `/readyz` that it is ready.

ARCHIOC_READY is the address where it is not the default port.
"""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def main() -> int:
    """Ask once. Returns the exit status."""
    url = os.environ.get("ARCHIOC_READY", "http://127.0.0.1:17668/readyz")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the address is the operator's own
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
