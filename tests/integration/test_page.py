"""The page in a real browser, by what is drawn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pytest

from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.timestamp import SECOND, format_utc
from archioc.retrieval.page import files
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory
from tests.processes.chromium import Chromium
from tests.processes.served_store import ServedStore

START = 1_790_000_000 * SECOND
"""2026-09-21T14:13:20Z."""
HOUR = 3600 * SECOND
HOSTILE = '<img/src=x/onerror="document.title=1">'


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    """A browser with an empty page."""
    made = Chromium(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ring(served_store: ServedStoreFactory) -> ServedStore:
    """An hour of a ring: a current with a gap and alarms, a shutter with labels, a message."""
    made = served_store()
    second = np.arange(3600)
    current = 200 * np.exp(-(second % 1200) / 4000) + np.random.default_rng(1).normal(0, 4, 3600)
    severity = np.select([second % 1200 < 40, second % 1200 < 80], [2, 1])
    points = [
        Point("SR:CURRENT", START + at * SECOND, float(current[at]), severity=int(severity[at]))
        for at in range(3600)
        if not 2000 < at < 2600
    ]
    points += [Point("SR:SHUTTER", START + at * SECOND, float(at % 1800 > 900)) for at in range(0, 3600, 300)]
    points += [Point("SR:MESSAGE", START + at * SECOND, blob=b"<b>beam</b> & more", kind=Kind.TEXT) for at in range(0, 3600, 900)]
    points.append(Point(HOSTILE, START + SECOND, 5.0, severity=3))
    made.write(
        points,
        [ChannelEvent("SR:CURRENT", START + 2000 * SECOND, Reason.DISCONNECTED, START + 2600 * SECOND)],
        [
            ChannelMeta("SR:CURRENT", START, Dbr.DOUBLE, 1, "ioc", units="mA", precision=2),
            ChannelMeta("SR:SHUTTER", START, Dbr.ENUM, 1, "ioc", labels=("closed", "open")),
        ],
    )
    return made


def page_of(made: ServedStore, *channels: str, **more: str) -> str:
    """The address of the page with these in the plot."""
    span = {"from": format_utc(START), "to": format_utc(START + HOUR)}
    return f"{made.http.url}/?{urlencode([('pv', channel) for channel in channels] + list((span | more).items()))}"


SHOWN = "document.getElementById('plot')?.dataset.shown ?? ''"
ROWS = "document.querySelectorAll('#channels tbody tr').length"
TRACES = "document.getElementById('plot').data.filter(trace => trace.name === {!r}).length"
GAP = "(p => p && p.getAttribute('fill-rule') && [p.getBoundingClientRect()].map(b => [b.x, b.y, b.width, b.height])[0])"
GAP += "(document.querySelector('#plot .shapelayer path'))"
PANEL = "[document.querySelector('#plot .nsewdrag').getBoundingClientRect()].map(b => [b.x, b.y, b.width, b.height])[0]"

BAND, GREY = (186, 213, 245), (214, 217, 220)
"""The band, and a gap, over white."""


def pixels_of(png: bytes) -> npt.NDArray[np.int64]:
    """Red, green and blue of each pixel, shape (height, width, 3)."""
    return (matplotlib.image.imread(io.BytesIO(png))[:, :, :3] * 255).round().astype(np.int64)


def inside(pixels: npt.NDArray[np.int64], box: list[float]) -> npt.NDArray[np.int64]:
    """The pixels of a box: left, top, width, height."""
    x, y, width, height = (round(one) for one in box)
    return pixels[y : y + height, x : x + width].reshape(-1, 3)


def number_of(pixels: npt.NDArray[np.int64], colour: tuple[int, int, int]) -> int:
    """How many pixels have a colour, as good as."""
    return int((abs(pixels - colour).max(axis=1) <= 3).sum())


def test_plot_is_drawn(ring: ServedStore, browser: Chromium) -> None:
    """Line and band are drawn where there are samples, the gap is grey and free of them, alarms have marks, each channel a panel."""
    browser.open(page_of(ring, "SR:CURRENT", "SR:SHUTTER", "SR:MESSAGE"))
    browser.resize(1100, 1500)
    browser.wait(SHOWN)
    assert [browser.value(TRACES.format(name)) for name in ("band", "value", "alarms")] == [1, 3, 1]
    gap, panel, pixels = browser.value(GAP), browser.value(PANEL), pixels_of(browser.screenshot())
    assert abs(gap[2] / panel[2] - 600 / 3600) < 0.01
    assert abs((gap[0] - panel[0]) / panel[2] - 2000 / 3600) < 0.01
    within = inside(pixels, [gap[0] + 4, gap[1] + 30, gap[2] - 8, gap[3] - 40])
    assert number_of(within, GREY) > 0.9 * len(within)
    before = inside(pixels, [panel[0], panel[1], gap[0] - panel[0] - 4, panel[3]])
    assert number_of(before, BAND) > 400
    assert number_of(before, GREY) == number_of(within, BAND) == 0
    summary = browser.value("document.getElementById('summary').innerText")
    assert "highest alarm MAJOR, 1 gap." in summary
    rows = browser.value("fetch(document.querySelector('#summary a').href).then(answer => answer.text())").splitlines()
    assert len([row for row in rows if row[:1].isdigit()]) == 3600 - 599
    assert "disconnected" in browser.value("document.querySelector('#events tbody').innerText")
    assert "archioc explain SR:CURRENT 2026-09-21T14:46:40.001Z" in browser.value("document.querySelector('#events tbody').innerText")
    labels = browser.value("[...document.querySelectorAll('#plot .y2tick text')].map(one => one.textContent)")
    assert {"open", "closed"} <= {*labels}
    assert browser.faults == []


def test_zoom_and_back(ring: ServedStore, browser: Chromium) -> None:
    """Dragging over a part shows it in more detail, under an address of its own; the back button goes back."""
    browser.open(page_of(ring, "SR:CURRENT"))
    before = browser.wait(SHOWN)
    assert "bins" in browser.value("document.getElementById('summary').innerText")
    browser.value("document.getElementById('plot').scrollIntoView()")
    x, y, width, height = browser.value(PANEL)
    browser.drag((x + width * 0.25, y + height / 2), (x + width * 0.35, y + height / 2))
    after = browser.wait(SHOWN, lambda shown: shown != before)
    begin, end = (
        np.datetime64(one.rstrip("Z")) for one in browser.value("[...new URLSearchParams(location.search)].slice(-2).map(one => one[1])")
    )
    assert abs((begin - np.datetime64(START, "ns")) / np.timedelta64(1, "s") - 900) < 20
    assert abs((end - begin) / np.timedelta64(1, "s") - 360) < 20
    assert "every sample" in browser.value("document.getElementById('summary').innerText")
    browser.value("history.back()")
    assert browser.wait(SHOWN, lambda shown: shown != after) == before


def test_keyboard_finds_and_plots(ring: ServedStore, browser: Chromium) -> None:
    """A channel is found by words and put into the plot with the keyboard alone; the address then holds both."""
    browser.open(f"{ring.http.url}/?span=365d")
    browser.wait(ROWS, lambda found: found == 4)
    browser.value("document.getElementById('search').focus()")
    browser.type("curr sr")
    browser.wait(ROWS, lambda found: found == 1)
    browser.press("Tab", 9)
    browser.press(" ", 32)
    browser.wait(SHOWN)
    assert browser.value("location.search") == "?pv=SR%3ACURRENT&search=curr+sr&span=365d"


def test_hostile_name_is_only_text(ring: ServedStore, browser: Chromium) -> None:
    """A channel that is called like a piece of HTML is shown by its name, everywhere, and does nothing."""
    browser.open(page_of(ring, HOSTILE))
    browser.wait(SHOWN)
    browser.wait(ROWS, lambda found: found == 4)
    assert browser.value("document.querySelectorAll('img').length") == 0
    assert browser.value("document.title") == "ArchIOC"
    for place in ("#channels", "#chosen", "#summary", "#plot"):
        assert HOSTILE in browser.value(f"document.querySelector({place!r}).textContent")
    assert browser.faults == []


def test_phone_and_dark(ring: ServedStore, browser: Chromium) -> None:
    """On a phone nothing is wider than the window, and who prefers it gets light on dark, the plot too."""
    browser.resize(390, 1400, phone=True)
    browser.dark(on=True)
    browser.open(page_of(ring, "SR:CURRENT", HOSTILE))
    browser.wait(SHOWN)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    assert np.median(pixels_of(browser.screenshot())) < 60


def test_without_plotting_script(ring: ServedStore, browser: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no plotting script is installed the page says what to install, and tells states and plots in words."""
    monkeypatch.setattr(files, "plotting_script", lambda: None)
    browser.open(page_of(ring, "SR:CURRENT"))
    browser.wait(SHOWN)
    assert "archioc[page]" in browser.value("document.getElementById('no-script').innerText")
    assert "highest alarm MAJOR, 1 gap." in browser.value("document.getElementById('summary').innerText")
    browser.wait(ROWS, lambda found: found == 4)


def test_channel_that_is_not_there(ring: ServedStore, browser: Chromium) -> None:
    """A channel that is not in the archive is told, and the others are drawn; one of the plot is listed whatever is searched for."""
    browser.open(page_of(ring, "SR:NONE", "SR:CURRENT", search="shutter"))
    browser.wait(SHOWN)
    assert browser.value("document.getElementById('fault').innerText") == "SR:NONE: no such channel in this archive"
    assert browser.value(TRACES.format("value")) == 1
    names = "[...document.querySelectorAll('#channels tbody tr')].map(row => row.children[1].textContent)"
    browser.wait(names, lambda found: found == ["SR:CURRENT", "SR:SHUTTER"])


def test_download_of_a_name_with_parentheses(served_store: ServedStoreFactory, browser: Chromium) -> None:
    """The link to the CSV of a channel that is called like a post-processor has the samples of that channel."""
    made = served_store()
    made.write([Point("mean_60(A)", START + SECOND, 5.5), Point("mean_60(A)", START + 2 * SECOND, 7.5), Point("A", START, 1.0)])
    browser.open(page_of(made, "mean_60(A)"))
    browser.wait(SHOWN)
    rows = browser.value("fetch(document.querySelector('#summary a').href).then(answer => answer.text())").split()
    assert [row.split(",")[1] for row in rows] == ["5.5", "7.5"]
    assert browser.faults == []
