"""The memory that a long answer takes does not depend on how long it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from archioc.db.embedded.store import EmbeddedStore
from bench.archive_site import CHANNEL, end_of, fill, served_archive
from bench.exports import Export, export_command, export_http
from bench.retrieval import DAY_SAMPLES, MEMORY_MB
from tests.proof.counts import counts

SLACK_MB = 30.0
"""What allocators keep of one answer and not of another."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


def test_memory_of_long_exports(tmp_path: Path) -> None:
    """No process takes more than the target for days of samples, over HTTP or by command; the http process hardly more than for one."""
    samples = counts().export_days * DAY_SAMPLES
    fill(EmbeddedStore(tmp_path / "state" / "store"), samples)
    with served_archive(tmp_path) as site:
        for form in ("raw", "json", "raw"):
            site.download(form, CHANNEL, end_of(DAY_SAMPLES))
        answers = [export_http(site, samples, form) for form in ("raw", "json")]
        assert all(answer.rise_mb["retrieval"] <= SLACK_MB for answer in answers), answers
        assert answers[0].megabytes * 1e6 > 10 * samples
        found: list[Export] = [*answers, export_command(site, samples, tmp_path / "export.parquet")]
    assert all(export.highest_mb <= MEMORY_MB for export in found), found
