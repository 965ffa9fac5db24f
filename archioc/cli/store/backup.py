"""`archioc store backup`: a state directory made of copies.

The order makes it consistent: what says how far the archive goes is copied before what it speaks of, and what is in two places meanwhile
(a batch in the spool and in the store) is known by its id.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.directories import Directories, is_locked
from archioc.core.errors import RegistryError, StoreUnavailable, UsageError
from archioc.core.identity import ID_FILE
from archioc.core.spool.spool import SpoolDirectory
from archioc.db.store import OfFiles
from archioc.engine.channels.open_gaps import OpenGapsFile
from archioc.ioc.registry.audit_log import AUDIT_LOG
from archioc.ioc.registry.backup import copy_registry
from archioc.open_archive import open_for_change

SETTLE_S = 1.0
"""After `commit_interval`, what was received before the copy of `alive` is in the spool."""

_SPOOL_PARTS = ("new", "sending")


def back_up_archive(path: Path, target: Path) -> None:
    """Copy all that a state directory needs. Raises ConfigError, UsageError, StoreError, RegistryError."""
    config = load_config(path)
    source, copy = Directories(config.archiver.state_dir), Directories(target.absolute())
    say = TerminalConsole(highlight=False, soft_wrap=True, emoji=False, markup=False).print
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise UsageError(f"{target}: is not empty; name a directory to make")
        _copy_state(config, source, copy)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or target}: cannot be copied: {error.strerror}") from None
    files = _copy_store(config, copy)
    say(f"{target}: state.db, spool and {files} files of the store" if files else f"{target}: state.db and spool")
    if config.store.influxdb is not None:
        say("InfluxDB is not in it: save its database with influxd backup")


def _copy_state(config: Config, source: Directories, copy: Directories) -> None:
    """Raises OSError, RegistryError."""
    gaps = OpenGapsFile(source.open_gaps).read()
    for path in (source.alive, source.state / ID_FILE, source.audit_sent, *source.state.glob(f"{AUDIT_LOG}*")):
        if path.exists():
            shutil.copy2(path, copy.state / path.name)
    if is_locked(source):
        time.sleep(config.spool.commit_interval + SETTLE_S)
    try:
        copy_registry(source.registry, copy.registry)
    except (OSError, RegistryError) as error:
        raise RegistryError(f"{source.registry}: cannot be copied: {error}") from None
    SpoolDirectory(copy.spool).create()
    for part in _SPOOL_PARTS:
        for batch in sorted((source.spool / part).glob("*.batch")):
            try:
                shutil.copy2(batch, copy.spool / "new" / batch.name)
            except FileNotFoundError:  # delivered meanwhile: the store is copied afterwards
                continue
    OpenGapsFile(copy.open_gaps).write(gaps | OpenGapsFile(source.open_gaps).read())


def _copy_store(config: Config, copy: Directories) -> int:
    """Copy the files of the embedded store; how many. Raises StoreError."""
    if config.store.embedded is None:
        return 0
    copy.store.mkdir(mode=0o700)
    with open_for_change(config) as store:
        return sum(1 for _ in store.copy_files(copy.store)) if isinstance(store, OfFiles) else 0
