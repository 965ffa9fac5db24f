"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archioc.core.errors import OutputError


@contextmanager
def whole_file(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Where to write what shall become `path`; it takes that name when the block ends without an error, Ctrl-C included.

    The place is in a directory of its own beside it, for scratch files too, which goes in any case.
    Raises OutputError when the directory cannot be written, and when the file is there and shall not be replaced.
    """
    if path.exists() and not replace:
        raise OutputError(f"{path}: is there already; --force replaces it")
    if path.is_dir():
        raise OutputError(f"{path}: is a directory")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as scratch:
            place = Path(scratch) / path.name
            yield place
            with place.open("rb") as written:
                os.fsync(written.fileno())
            place.replace(path)
    except BrokenPipeError:
        raise  # standard output, not the file
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
