"""How a silence is counted."""

from __future__ import annotations

import os
from pathlib import Path

from archioc.core.machine.heartbeat import LONGEST_STEP_S, Heartbeat, Watch


def test_silence_grows_without_signs_and_ends_with_one(tmp_path: Path) -> None:
    """It is the time for which the file did not change; a sign ends it."""
    file = tmp_path / "alive"
    heartbeat, watch = Heartbeat(file), Watch(file)
    for now in range(100, 111):
        watch.look(float(now))
    assert (watch.begun, watch.silent_s) == (False, 10.0)
    heartbeat.beat()
    watch.look(111.0)
    assert (watch.begun, watch.silent_s) == (True, 0.0)
    for now in range(112, 117):
        watch.look(float(now))
    assert watch.silent_s == 5.0
    heartbeat.beat()
    watch.look(117.0)
    assert watch.silent_s == 0.0


def test_time_in_which_nobody_looked_counts_little(tmp_path: Path) -> None:
    """A day in which the watcher slept is one step; so is each look of a watcher that hardly gets a processor."""
    file = tmp_path / "alive"
    Heartbeat(file).beat()
    watch = Watch(file)
    watch.look(100.0)
    watch.look(100.0 + 86_400)
    assert watch.silent_s == LONGEST_STEP_S


def test_any_change_is_a_sign(tmp_path: Path) -> None:
    """The clock may have been set back: an older time is a sign like a newer one. A file that is gone is none."""
    file = tmp_path / "alive"
    Heartbeat(file).beat()
    watch = Watch(file)
    watch.look(1.0)
    watch.look(1.5)
    os.utime(file, (1, 1))
    watch.look(2.0)
    assert watch.silent_s == 0.0
    file.unlink()
    watch.look(2.5)
    assert watch.silent_s == 0.5
    Heartbeat(file).beat()
    watch.look(3.0)
    assert watch.silent_s == 0.0
