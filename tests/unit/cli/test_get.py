from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO

import numpy as np
import pytest

from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.sample_writers import CsvWriter, JsonWriter, SampleWriter, TableWriter
from archioc.core.array_statistics import ArrayStatistics
from archioc.core.spool.batch import SampleFlag
from archioc.db.sample_columns import SampleColumns


@pytest.mark.parametrize(
    ("writer", "shown"),
    [
        (CsvWriter, '"{""n"":2000000,""min"":-1.5,""max"":8,""mean"":""NaN"",""std"":0.25}",,0,0,statistics,\n'),
        (JsonWriter, '"value":{"n":2000000,"min":-1.5,"max":8,"mean":"NaN","std":0.25},"severity":0,"status":0,"flags":"statistics"}'),
        (TableWriter, "[n 2000000, min -1.5, max 8, mean NaN, std 0.25]"),
    ],
)
def test_an_array_that_was_too_large_to_keep(
    writer: Callable[[IO[str]], SampleWriter], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In place of the elements their number and statistics are shown, in each form."""
    zero = np.zeros(1, np.uint8)
    kept = ArrayStatistics(2_000_000, -1.5, 8.0, np.nan, 0.25)
    flags = np.full(1, SampleFlag.STATISTICS, np.uint8)
    columns = SampleColumns(np.ones(1, np.int64), np.full(1, np.nan), zero, zero, flags, np.zeros(1, np.int64), [None], [None], [kept])
    made = writer(sys.stdout)
    made.write(ChannelResult("A", 0, iter([columns]), []))
    made.finish()
    assert shown in capsys.readouterr().out
