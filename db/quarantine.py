"""What a store refuses for good is kept: `spool/quarantine/<batch id>.lines`."""

from __future__ import annotations

import os
from pathlib import Path

from archioc.core.spool import SpoolFile
from db.store import Refusal


def quarantine(spool: Path, file: SpoolFile, refusals: tuple[Refusal, ...]) -> Path:
    """Keep refused parts of a file, each under a line with the server's words; done again it is the same file."""
    directory = spool / "quarantine"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{file.batch_id:020d}.lines"
    scratch = path.with_suffix(".new")
    with scratch.open("wb") as out:
        for refusal in refusals:
            words = " ".join(refusal.message.split())
            out.write(f"# {words}\n".encode() + refusal.content + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return scratch.replace(path)
