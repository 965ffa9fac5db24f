"""What a person asks to be sent again: `spool/delivered/resend.json`, removed when it was done."""

from __future__ import annotations

import orjson

from archioc.core.spool.disk import write_file
from archioc.core.spool.spool import SpoolDirectory


class ResendRequest:
    """The file. Methods may raise OSError."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self._disk, self._path = spool.disk, spool.root / "delivered" / "resend.json"

    def ask(self, since_ns: int) -> None:
        """Have all that was delivered at or after a time (ns since 1970) sent again."""
        self._disk.make_directory(self._path.parent)
        scratch = self._path.with_suffix(".new")
        write_file(self._disk, scratch, (orjson.dumps({"since_ns": since_ns}),), durable=True)
        self._disk.rename(scratch, self._path)

    def since_ns(self) -> int | None:
        """What was asked for; None where nothing was. A damaged request stands for everything."""
        try:
            return int(orjson.loads(self._disk.read(self._path))["since_ns"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return 0

    def done(self) -> None:
        """It was done."""
        self._disk.unlink(self._path)
