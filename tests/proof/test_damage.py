"""A machine that damages: whatever has become of a file of a killed archiver, the next start tells the truth."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import CountingFactory, InfluxdFactory
from tests.hostile.damaging import Case, DamagedSite
from tests.proof.counts import counts
from tests.records.counters import Counting

COUNTERS = 3

pytestmark = [pytest.mark.proof, pytest.mark.timeout(7200)]


@pytest.fixture
def chance() -> random.Random:
    """Other damages each time; the seed is shown with a failure."""
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)


def test_embedded(counting: CountingFactory, tmp_path: Path, chance: random.Random) -> None:
    """Each file of state and run directory, each way: no wrong value, no silent gap, no traceback, and the others go on."""
    prove(counting(COUNTERS, {"embedded": {}}), tmp_path, chance)


def test_influxdb(counting: CountingFactory, own_influxd: InfluxdFactory, tmp_path: Path, chance: random.Random) -> None:
    """The same where the samples are in an InfluxDB."""
    server = own_influxd()
    prove(counting(COUNTERS, {"influxdb": {"url": server.url, "bucket": "epics"}}), tmp_path, chance)


def prove(load: Counting, kept: Path, chance: random.Random) -> None:
    """So many cases, each of which must hold."""
    site = DamagedSite(load, kept / "kept")
    cases = site.cases()
    wanted = counts().damages
    chosen = [*chance.sample(cases, min(wanted, len(cases))), *chance.choices(cases, k=max(0, wanted - len(cases)))]
    outcomes: Counter[str] = Counter()
    failures: dict[Case, str] = {}
    for case in chosen:
        try:
            outcomes[site.outcome(case, chance)] += 1
        except (AssertionError, TimeoutError) as error:
            failures[case] = str(error)
            print(f"{case}: {error}", flush=True)
    print(f"{len(chosen)} of {len(cases)} cases: {dict(outcomes)}")
    assert not failures, "\n\n".join(f"{case}: {text}" for case, text in failures.items())
