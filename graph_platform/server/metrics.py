"""What Prometheus is told of an instance: every query by what became of it, and how the server and its workers are.

| metric | kind | what |
|---|---|---|
| `graph_instance_queries_total{outcome}` | counter | `ANSWERED`, `CLIENT_GONE`, or the code of its error |
| `graph_instance_query_seconds` | histogram | from the request to the last byte of its answer, waiting included |
| `graph_instance_queries_in_flight` | gauge | that run or wait |
| `graph_instance_ready` | gauge | 1 while it takes queries |
| `graph_instance_idle_seconds` | gauge | since a query last came or ended; since the start if none has come |
| `graph_instance_writes_in_flight` | gauge | of these, that write |
| `graph_instance_unreadable_logs` | gauge | write-ahead logs that could not be replayed and were kept aside |
| `graph_instance_failed_checkpoints` | gauge | databases whose log could not be written out the last time |
| `graph_instance_workers` | gauge | the engine's processes that are alive |
| `graph_instance_workers_replaced_total` | counter | of these, ended by a limit or by themselves |
| `process_…` | | the server's own memory, files and processor, by the client library |
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from graph_platform.server.host import Host

ANSWERED, CLIENT_GONE = "ANSWERED", "CLIENT_GONE"
MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, float("inf"))


class Metrics:
    """The metrics of one server. `text` is asked for in a thread, `ended` in the event loop."""

    def __init__(self, host: Host) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_State(host))
        self._queries = Counter(
            "graph_instance_queries", "Queries by what became of them.", ["outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "graph_instance_query_seconds",
            "From the request to the last byte of its answer.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._queries.labels(ANSWERED)

    def ended(self, came: float, outcome: str) -> None:
        """Count a query that came at that time of `time.monotonic`.

        Args:
            outcome: `ANSWERED`, `CLIENT_GONE` in the midst of its answer, or the code of the error that was told.
        """
        self._queries.labels(outcome).inc()
        self._seconds.observe(time.monotonic() - came)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is looked at only when somebody asks."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def collect(self) -> Iterator[Metric]:
        status = self._host.status()
        workers = status["workers"]
        yield _gauge("queries_in_flight", "Queries that run or wait.", status["queries_in_flight"])
        yield _gauge("writes_in_flight", "Writes that run or wait.", status["writes_in_flight"])
        yield _gauge("unreadable_logs", "Write-ahead logs kept aside.", len(status["unreadable_logs"]))
        yield _gauge("failed_checkpoints", "Databases with too long a log.", len(status["failed_checkpoints"]))
        yield _gauge("ready", "Whether it takes queries.", self._host.is_ready)
        yield _gauge("idle_seconds", "Since a query last came or ended.", self._host.idle_seconds)
        yield _gauge("workers", "Processes of the engine that are alive.", workers["alive"])
        yield CounterMetricFamily(
            "graph_instance_workers_replaced",
            "Processes of the engine that were ended by a limit or by themselves.",
            workers["replaced"],
        )


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"graph_instance_{name}", what, float(value))
