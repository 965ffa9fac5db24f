"""`archioc plot`: channels as a picture."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from archioc.cli.output.output_file import whole_file
from archioc.cli.selection import Span, expand, open_archive
from archioc.core.errors import OutputError, UsageError

MAX_CHANNELS = 8
SUFFIXES = (".png", ".svg")


def plot_channels(config: Path, wanted: Sequence[str], start: str, end: str, output: Path, width: int) -> None:
    """Draw the channels wanted into a file. width: pixels.

    Raises UsageError, UnknownChannel, TimeFormatError, ConfigError, StoreError, OutputError.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: its suffix must be {' or '.join(SUFFIXES)}")
    span = Span.parse(start, end)
    if importlib.util.find_spec("matplotlib") is None:
        raise OutputError(f"{output}: plots need matplotlib: pip install 'archioc[plot]'")
    from archioc.cli.plot.plot_drawing import draw, read_trace  # noqa: PLC0415 - only there with the extra `plot`

    with open_archive(config) as reader:
        names = expand(reader, wanted)
        if len(names) > MAX_CHANNELS:
            raise UsageError(f"{len(names)} channels match; a plot has at most {MAX_CHANNELS}")
        traces = [read_trace(reader, name, span, width) for name in names]
    with whole_file(output) as place:
        draw(traces, span, place, width)
    sys.stdout.write(f"{output}: {', '.join(names)}\n")
