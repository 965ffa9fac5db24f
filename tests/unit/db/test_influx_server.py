from __future__ import annotations

import pytest

from archioc.db.influx.go_duration import go_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("168h0m0s", 604_800.0), ("2h0m0s", 7200.0), ("0s", 0.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("500ms", 0.5), ("", 0.0), ("ever", 0.0)],
)
def test_durations_of_servers_written_in_go(text: str, seconds: float) -> None:
    """Durations as `SHOW RETENTION POLICIES` tells them are seconds; from what is none there is no limit."""
    assert go_duration(text) == pytest.approx(seconds)
