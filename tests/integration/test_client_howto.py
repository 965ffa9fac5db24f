"""The examples of the page on Python, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.timestamp import SECOND
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory

PAGE = Path(__file__).parents[2] / "docs/how-to/python.md"
START = 1_790_000_000 * SECOND


def test_examples_of_the_page(served_store: ServedStoreFactory) -> None:
    """Every example runs against an archive, one after the other, and finds what is in it."""
    made = served_store()
    made.write(
        [
            *(Point("SR:CURRENT", START + n * SECOND, 200.0 - n % 60, severity=2 * (n == 7)) for n in range(1800) if not 600 < n < 900),
            *(Point("SR:SHUTTER", START + n * 100 * SECOND, float(n % 2), kind=Kind.ENUM) for n in range(18)),
        ],
        [ChannelEvent("SR:CURRENT", START + 600 * SECOND, Reason.DISCONNECTED, START + 900 * SECOND)],
        [
            ChannelMeta("SR:CURRENT", START, Dbr.DOUBLE, 1, "ioc", units="mA"),
            ChannelMeta("SR:SHUTTER", START, Dbr.ENUM, 1, "ioc", labels=("closed", "open")),
        ],
    )
    mpl.use("agg")
    names: dict[str, Any] = {}
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) > 4
    for example in examples:
        exec(example.replace("http://127.0.0.1:17668", made.http.url), names)
    current: pd.DataFrame = names["current"]
    assert current.value.count() == 1800 - 299
    assert current[current.gap == "disconnected"].value.isna().tolist() == [True]
    assert current.attrs["units"] == "mA"
    assert len(names["axes"].patches) == 1
    assert names["day"]["count"].sum() == 1800 - 299
    assert names["ring"].columns.tolist() == ["SR:CURRENT", "SR:SHUTTER"]
