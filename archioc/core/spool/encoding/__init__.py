"""From a batch to the payload of a spool file, in the form that the store takes."""

from __future__ import annotations

from typing import Protocol

from archioc.core.config.store import Store
from archioc.core.spool.batch import Batch
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.spool.encoding.line_protocol import DEFAULT_ARCHIVER, LineEncoder

EMBEDDED = "embedded"
"""Destination of payloads for the embedded store."""


class Encoder(Protocol):
    """Makes the payload of a spool file.

    A payload holds the samples sorted by row of the channel table (stable within a row), so that the
    counts of the spool file, sorted by row, tell which row each sample of the payload belongs to.
    """

    @property
    def destination(self) -> str:
        """Which store the payloads are for (`Store.destination`): stable, without secrets."""
        ...

    def encode(self, batch: Batch) -> bytes:
        """The payload for a batch whose channel names obey `archioc.core.channel.channel_name`."""
        ...


def destination_of(store: Store) -> str:
    """The destination that a configured store stands for."""
    if store.influxdb is not None:
        return f"influxdb:{store.influxdb.url}/{store.influxdb.bucket}"
    return EMBEDDED


def encoder_for(store: Store, archiver: str = DEFAULT_ARCHIVER) -> Encoder:
    """The encoder whose payloads the configured store takes. archiver: name of the one that sends them."""
    destination = destination_of(store)
    return LineEncoder(destination, archiver) if store.influxdb is not None else ColumnEncoder(destination)
