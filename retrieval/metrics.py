"""`/metrics`: the archiver's counters for Prometheus. `docs/reference/contract/metrics.csv` lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc import __version__
from archioc.core.directories import Directories
from archioc.core.table.archive_totals import ArchiveTotals, count_up
from archioc.core.table.columns import DROPS
from archioc.core.table.process_counts import ProcessCounts, read_counts
from archioc.core.table.table import ChannelTable, ProcessState, StoreState
from archioc.retrieval.app_state import archive_of
from archioc.retrieval.faults import refusal
from archioc.retrieval.shared_work import SharedWork

SECOND_NS = 1e9


async def metrics(request: Request) -> Response:
    """All metrics of the archiver on this machine. Raises HTTPException (404) where there is none, RunDirError while it is stopped."""
    directories = archive_of(request).directories
    if directories is None:
        raise refusal(404, "there is no archiver here, only its store; the metrics are those of an archiver")
    # in a thread of its own: readers who keep the server busy do not make a hole in the metrics
    shared: SharedWork[bytes] = request.app.state.metrics
    return Response(await shared.result(lambda: metrics_of(directories)), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def metrics_of(directories: Directories) -> bytes:
    """The text for Prometheus. Raises RunDirError."""
    table = ChannelTable(directories.run)
    table.open(read_only=True)
    with closing(table):
        totals = count_up(table)
        processes = {"ioc": table.settings.head.copy(), "engine": totals.status_head, "db": totals.delivery_head}
    states = {name: (int(head["state"][0]), int(head["heartbeat"][0])) for name, head in processes.items()}
    registry = CollectorRegistry()
    registry.register(_Found([*_processes(states, read_counts(table.run_dir)), *_engine(totals), *_delivery(totals)]))
    return generate_latest(registry)


class _Found(Collector):
    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _processes(states: dict[str, tuple[int, int]], restarts: ProcessCounts) -> Iterator[Metric]:
    yield InfoMetricFamily("archioc", "Version of ArchIOC", {"version": __version__})
    running = GaugeMetricFamily("archioc_process_running", "Whether the process says that it runs", labels=["process"])
    heartbeat = GaugeMetricFamily(
        "archioc_process_heartbeat_timestamp_seconds", "When the process last gave a sign of life", labels=["process"]
    )
    for name, (state, beat_ns) in states.items():
        running.add_metric([name], float(state == ProcessState.RUNNING))
        heartbeat.add_metric([name], beat_ns / SECOND_NS)
    restarted = CounterMetricFamily("archioc_process_restarts", "Restarts since the archiver started", labels=["process"])
    for name, number in asdict(restarts).items():
        restarted.add_metric([name], number)
    yield from (running, heartbeat, restarted)


def _engine(totals: ArchiveTotals) -> Iterator[Metric]:
    yield _gauge("channels", "Channels in the archive", totals.channels)
    yield _gauge("channels_connected", "Channels connected to their IOC", totals.connected)
    yield _gauge("channels_enabled", "Channels whose archiving is enabled", totals.enabled)
    yield _counter("updates_received", "Updates received and accounted for", totals.ledger("received"))
    yield _counter("updates_filtered", "Updates left out by the settings", totals.ledger("filtered"))
    yield _counter("updates_late", "Updates older than the one before of their channel", totals.ledger("late"))
    yield _counter("updates_bad_time", "Updates whose time stamp was unusable", totals.ledger("bad_time"))
    yield _gauge("updates_withheld", "Values waiting for their interval to end", totals.ledger("withheld"))
    yield _counter("samples_generated", "Samples made at connect and enable and by max_interval", totals.ledger("generated"))
    yield _counter("samples_committed", "Samples handed to the spool", totals.ledger("committed"))
    dropped = CounterMetricFamily("archioc_samples_dropped", "Samples lost, by reason", labels=["reason"])
    for drop in DROPS:
        dropped.add_metric([drop.removeprefix("dropped_")], totals.ledger(drop))
    yield dropped
    yield _gauge("event_ring_fill_ratio", "Part of the event ring in use", totals.status("ring_fill"))
    yield _gauge("engine_loop_lag_seconds", "Longest time between two drains of the ring in the last second", totals.status("loop_lag"))
    yield _gauge("clock_suspect", "1: more than a fifth of the IOCs are ahead of our clock", totals.status("clock_suspect"))


def _delivery(totals: ArchiveTotals) -> Iterator[Metric]:
    state = GaugeMetricFamily("archioc_store_state", "1 for the state that the store is in", labels=["state"])
    for one in StoreState:
        state.add_metric([one.name.lower()], float(totals.delivery("store_state") == one))
    yield state
    yield _counter("samples_stored", "Samples acknowledged by the store", totals.delivery("stored"))
    yield _counter("samples_rejected", "Samples refused by the store for good", totals.delivery("rejected"))
    yield _counter("store_batches", "Batches acknowledged by the store", totals.delivery("batches"))
    yield _counter("store_retries", "Writes that had to be repeated", totals.delivery("retries"))
    yield _gauge(
        "store_last_write_timestamp_seconds", "When the store last acknowledged a batch", totals.delivery("last_write") / SECOND_NS
    )
    yield _gauge("store_write_seconds", "How long the last write took", totals.delivery("write_time"))
    yield _gauge("delivery_lag_seconds", "Time from commit to acknowledgement of the last batch", totals.delivery("lag"))
    yield _gauge("spool_files", "Batches in the spool", totals.delivery("spool_files"))
    yield _gauge("spool_bytes", "Size of the spool", totals.delivery("spool_bytes"))
    yield _gauge("spool_samples", "Samples in the spool", totals.delivery("spool_samples"))
    oldest = totals.delivery("spool_oldest") / SECOND_NS
    yield _gauge("spool_oldest_timestamp_seconds", "When the oldest batch in the spool was made; 0 while it is empty", oldest)
    yield _gauge("spool_damaged_files", "Spool files set aside because they are damaged", totals.delivery("damaged"))
    yield _gauge("spool_disk_free_ratio", "Free part of the disk that holds the spool", totals.delivery("disk_free"))
    yield _gauge(
        "quarantined_batches", "Batches of which the store refused something for good, which is kept", totals.delivery("quarantined")
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"archioc_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"archioc_{name}", text, value)


METRICS_ROUTES = [Route("/metrics", metrics)]
