"""Command lines that run a Python module in a process of its own. No other place of the product writes `-m`.

`-P` (Python 3.11) keeps the current directory out of the module path. Without it a file `yaml.py` beside a site's configuration, or
one that another user has put into a shared directory, would run in place of the library, as the user of the archiver.
The option is not inherited: a process that starts another one uses this function again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def python_module(name: str, *arguments: str) -> list[str]:
    """The command line that runs module `name` with this interpreter, whatever the current directory holds."""
    return [sys.executable, "-P", "-m", name, *arguments]


def module_of(command: Sequence[str]) -> str | None:
    """The module that a command line runs, None where it runs none. command: that of another process, as the kernel has it."""
    words = list(command[1:])
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c"}:
        words.pop(0)
    return words[1] if words[:1] == ["-m"] and len(words) > 1 else None
