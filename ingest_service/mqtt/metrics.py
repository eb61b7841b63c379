"""Figures of `listen` for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from ingest_service.mqtt.intake import Outcome


class ListenFigures:
    """What has been taken in since the process began; kept in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._packs = Counter("monuoc_listen_packs", "Packs taken in", registry=self.registry)
        self._readings = Counter("monuoc_listen_readings", "Readings in those packs", registry=self.registry)
        self._stored = Counter(
            "monuoc_listen_observations", "Observations stored, derived ones included", registry=self.registry
        )
        self._heartbeats = Counter("monuoc_listen_heartbeats", "Heartbeats saved", registry=self.registry)
        self._rejects = Counter("monuoc_listen_rejects", "Messages kept as rejects", ["reason"], registry=self.registry)
        self._failures = Counter(
            "monuoc_listen_store_failures", "Batches that the store could not take", registry=self.registry
        )
        self._dropped = Counter(
            "monuoc_listen_dropped",
            "Messages left unanswered because too many wait; they come again",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "monuoc_listen_batch_seconds",
            "From the first look at a batch to its durable commit",
            registry=self.registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )
        self.connected = Gauge("monuoc_listen_connected", "1 while connected to the broker", registry=self.registry)

    def taken(self, outcome: Outcome, seconds: float) -> None:
        """A batch was committed."""
        self._packs.inc(outcome.packs)
        self._readings.inc(outcome.readings)
        self._stored.inc(outcome.stored)
        self._heartbeats.inc(outcome.heartbeats)
        for reason, count in outcome.rejects.items():
            self._rejects.labels(reason).inc(count)
        self._seconds.observe(seconds)

    def failed(self) -> None:
        """The store did not take a batch."""
        self._failures.inc()

    def dropped(self, count: int) -> None:
        """Messages were left for their senders to repeat."""
        self._dropped.inc(count)

    def serve(self, host: str, port: int) -> None:
        """Answer GET /metrics from now on, on a thread of its own."""
        start_http_server(port, host, registry=self.registry)
