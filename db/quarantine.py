"""What a store refuses for good is kept: `spool/quarantine/<batch id>.lines`."""

from __future__ import annotations

from pathlib import Path

from archioc.core.spool import SpoolDirectory, SpoolFile
from db.store import Refusal


def quarantine(spool: SpoolDirectory, file: SpoolFile, refusals: tuple[Refusal, ...]) -> Path:
    """Keep refused parts of a file, each under a line with the server's words; done again it is the same file. Raises OSError."""
    parts = [f"# {' '.join(refusal.message.split())}\n".encode() + refusal.content + b"\n" for refusal in refusals]
    return spool.keep_refused(file.batch_id, b"".join(parts))
