"""`archioc check`: is the configuration valid, and is what the archiver needs in good order? And the way back for a registry."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.directories import Directories, is_locked, lock_state_dir
from archioc.core.errors import RegistryError, SpoolError, SpoolFileDamaged, StoreDenied, StoreError, StoreUnavailable
from archioc.core.incidents import Incidents
from archioc.core.machine.log import silent_log
from archioc.core.spool.spool import SpoolDirectory, read_spool_file
from archioc.core.timestamp import format_local
from archioc.db.archive_record import ArchiveRecord
from archioc.db.influx.store import InfluxDatabase
from archioc.db.store import OfFiles
from archioc.engine.channels.last_run import AliveFile
from archioc.ioc.registry.backup import backups, begin_anew, check_registry, is_empty, restore
from archioc.ioc.registry.earlier_runs import WAY_OUT, refuse_nothing, refuse_older
from archioc.open_archive import open_reader

NOT_YET = "not there yet"
EMPTY = "empty"
"""What is given in place of a copy to begin anew."""


def check(path: Path, *, deep: bool = False) -> bool:
    """Write a line for each thing that was looked at; whether all is well. deep: all that is in the store's files is read.

    Raises ConfigError.
    """
    config = load_config(path)
    directories = Directories(config.archiver.state_dir)
    declared = len(config.channels) + sum(len(group.channels) for group in config.groups.values())
    _tell("configuration", "ok", f"{path}: {declared} channels")
    looks: dict[str, Callable[[Config, Directories], str]] = {
        "registry": _registry,
        "spool": _spool,
        "disk": _disk,
        "store": partial(_store, deep=deep),
        "incidents": _incidents,
    }
    fine = True
    for name, look in looks.items():
        try:
            _tell(name, "ok", look(config, directories))
        except (RegistryError, SpoolError, StoreError, OSError) as error:
            _tell(name, "FAULT", str(error))
            fine = False
    return fine


def restore_registry(path: Path, wanted: str) -> None:
    """Put a copy, or nothing (`empty`), in the place of `state.db`. Raises ConfigError, StateDirInUse, RegistryError, OSError."""
    directories = Directories(load_config(path).archiver.state_dir)
    with lock_state_dir(directories):
        if wanted == EMPTY:
            aside, revision = begin_anew(directories.registry), 0
            done = "begun anew: the next start takes the channels of the configuration file"
        else:
            source, content, aside = restore(directories.registry, directories.backups, wanted)
            revision = content.revision
            done = f"restored from {source}: {len(content.channels)} channels, revision {revision}"
        AliveFile(directories.alive).lower(revision)
    _tell("registry", "ok", done)
    if aside is not None:
        sys.stdout.write(f"the one that was there is now {aside}\n")


def acknowledge(path: Path) -> None:
    """Let go of what happened to the store: somebody has seen to it. Raises ConfigError, OSError."""
    number = Incidents(Directories(load_config(path).archiver.state_dir).incidents).acknowledge()
    _tell("incidents", "ok", f"{number} acknowledged")


def _tell(name: str, state: str, text: str) -> None:
    sys.stdout.write(f"{name} {state}: {text}\n")


def _registry(_: Config, directories: Directories) -> str:
    registry = directories.registry
    if not registry.exists() or is_empty(registry):
        _named(registry, lambda: refuse_nothing(registry))
        return f"{registry}: {NOT_YET}"
    content = check_registry(registry)
    _named(registry, lambda: refuse_older(registry, content.revision))
    copies = len(backups(directories.backups))
    return f"{registry}: {len(content.channels)} channels, revision {content.revision}, {copies} in backup/"


def _named(registry: Path, look: Callable[[], None]) -> None:
    """Raise what a look raises as RegistryError with the file and the way out."""
    try:
        look()
    except RegistryError as error:
        raise RegistryError(f"{registry}: cannot be used: {error}; {WAY_OUT}") from None


def _spool(_: Config, directories: Directories) -> str:
    """Every file is read to its end, so that its CRC is compared."""
    spool = SpoolDirectory(directories.spool)
    if not directories.spool.exists():
        return f"{directories.spool}: {NOT_YET}"
    entries = [*spool.claimed(), *spool.waiting()]
    for entry in entries:
        try:
            read_spool_file(entry.path)
        except FileNotFoundError:
            continue  # sent while we look
        except OSError as error:
            raise SpoolFileDamaged(entry.path, f"cannot be read: {error.strerror}") from None
    damaged = spool.damaged()
    if damaged:
        raise SpoolFileDamaged(damaged[0].path, f"was set aside as damaged, and {len(damaged) - 1} more")
    return f"{directories.spool}: {len(entries)} batches, {sum(entry.samples for entry in entries)} samples"


def _disk(config: Config, directories: Directories) -> str:
    place = next(path for path in (directories.spool, *directories.spool.parents) if path.exists())
    free = SpoolDirectory(place).free_bytes()
    told = f"{place}: {free / 1e9:.1f} GB free, spool.min_free is {config.spool.min_free / 1e9:.1f} GB"
    if free < config.spool.min_free:
        raise SpoolError(told)
    return told


def _store(config: Config, directories: Directories, *, deep: bool) -> str:
    embedded = config.store.embedded
    if config.store.influxdb is not None:
        store = InfluxDatabase(config.store.influxdb, config.archiver.name, ArchiveRecord(directories.archive_record))
        try:
            with silent_log():
                return store.try_out()
        finally:
            store.close()
    if embedded is not None and not embedded.directory.exists() and not is_locked(directories):
        return f"{embedded.directory}: {NOT_YET}"
    reader = open_reader(config, as_stored=True)
    faults, files = [], 0
    try:
        reader.last_before("archioc:check", time.time_ns())
        if embedded is not None and isinstance(reader, OfFiles):
            for found in reader.faults(deep=deep):
                faults += found
                files += 1
    finally:
        reader.close()
    if faults:
        raise StoreUnavailable("; ".join(faults))
    where = embedded.directory if embedded is not None else ""
    return f"{where}: answers" + (f", {files - 2} files {'read' if deep else 'opened'}" if files else "")


def _incidents(_: Config, directories: Directories) -> str:
    """What happened to the store and nobody has acknowledged."""
    found = Incidents(directories.incidents).standing(time.time_ns())
    if found:
        told = "; ".join(f"{format_local(incident.time_ns)} {incident.text}" for incident in found)
        raise StoreDenied(f"{told} (seen to it? `archioc check --acknowledge`)")
    return "none"
