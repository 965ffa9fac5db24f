"""`archioc channels add`, `set`, `remove`: words of the command line as lines of a command PV."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from archioc.cli.channels.control_client import ControlClient
from archioc.core.config.file import load_blocks
from archioc.core.errors import UsageError

LONGEST_PUT = 16_000
"""Bytes of a command PV (`docs/reference/contract/pvs.csv`)."""

_SETTING = re.compile(r"[a-z_]+=")


def put_lines(path: Path, command: str, words: Sequence[str]) -> None:
    """Put a line for each name to Add, Set or Remove of the running archiver, and write its `Result`.

    Raises ConfigError, UsageError, CommandRefused, ServeError.
    """
    sys.stdout.write(ControlClient(load_blocks(path)).command(command, command_text(words)) + "\n")


def command_text(words: Sequence[str]) -> bytes:
    """The lines: each name with all settings. Names are the words up to the first `word=value`.

    Raises UsageError when there is no name, when a word has a line end, which would begin another line, or when it is too long for a put.
    """
    for word in words:
        if "\n" in word or "\r" in word:
            raise UsageError(f"{word!r}: must not contain a line end")
    names = list(takewhile(lambda word: not _SETTING.match(word), words))
    if not names:
        raise UsageError(f"{words[0]}: the name of a channel must come first")
    settings = [shlex.quote(word) for word in words[len(names) :]]
    text = "\n".join(" ".join([name, *settings]) for name in names).encode()
    if len(text) > LONGEST_PUT:
        raise UsageError(f"{len(text)} bytes in one command, at most {LONGEST_PUT}; archioc channels import takes files of any length")
    return text
