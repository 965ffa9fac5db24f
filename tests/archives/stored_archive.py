"""An archive that no archiver runs on: a configuration with the embedded store, filled by the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from archioc.cli.main import app
from archioc.core.config.file import load_config
from archioc.core.directories import Directories
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.spool.spool import SpoolDirectory
from archioc.db.embedded.store import EmbeddedStore
from tests.archives.batches import Point, make_batch, spool_file


@dataclass(slots=True)
class StoredArchive:
    """batches: how many were made so far."""

    config: Path
    batches: int = field(default=0)

    @property
    def directories(self) -> Directories:
        return Directories(load_config(self.config).archiver.state_dir)

    def store(self, points: Sequence[Point], events: Sequence[ChannelEvent] = (), metas: Sequence[ChannelMeta] = ()) -> None:
        """Put these into the embedded store."""
        self.batches += 1
        store = EmbeddedStore(self.directories.store)
        store.prepare()
        store.write(spool_file(ColumnEncoder("embedded"), make_batch(points, events, metas), self.batches))
        store.close()

    def spool(self, points: Sequence[Point], events: Sequence[ChannelEvent] = ()) -> None:
        """Put these into the spool."""
        self.batches += 1
        spool = SpoolDirectory(self.directories.spool)
        spool.create()
        spool.publish(spool.prepare(spool_file(ColumnEncoder("embedded"), make_batch(points, events), self.batches)))

    def run(self, *words: str) -> Result:
        """What a command does, with its exit status; errors of ours are raised."""
        done = CliRunner().invoke(app, [*words, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def read(self, *words: str) -> str:
        """What a command writes."""
        done = self.run(*words)
        assert done.exit_code == 0, done.output
        return done.stdout

    def read_json(self, *words: str) -> Any:
        """What a command writes with `--format json`."""
        return json.loads(self.read(*words, "--format", "json"))


def make_archive(directory: Path) -> StoredArchive:
    """One without a sample in this directory."""
    config = directory / "archioc.yml"
    config.write_text("archiver: {state_dir: ./state}\nstore: {embedded: {}}\n")
    directory.joinpath("state").mkdir()
    return StoredArchive(config)
