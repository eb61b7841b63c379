"""Figures for Prometheus: what the stores say at this moment, and how long answers took."""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import Final

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from ingest_service.domain.alert import RULES
from ingest_service.domain.places import Register
from ingest_service.services.ports import Heartbeat, SeriesKey
from ingest_service.services.report import MEASURED
from ingest_service.web.site import Site

_BOUNDS_S: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5)


class Figures:
    """A registry of its own, so that two applications in one process do not meet."""

    def __init__(self, site: Site) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_StoreFigures(site))
        self._seconds = Histogram(
            "monuoc_web_request_seconds",
            "Time to answer, by route and status",
            ["route", "status"],
            registry=self.registry,
            buckets=_BOUNDS_S,
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """An answer went out."""
        self._seconds.labels(route, str(status)).observe(seconds)


class _StoreFigures(Collector):
    """Reads the stores when it is asked."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def describe(self) -> list[Metric]:
        """Nothing is read at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Open alerts, ages, gateways, rejects."""
        records, now_ms = self._site.records, self._site.now()
        alerts = Tally(alert.latest.rule for alert in records.open_alerts())
        yield _family("monuoc_open_alerts", "Open alerts", "rule", dict.fromkeys(RULES, 0) | alerts)
        yield _family("monuoc_rejects", "Messages kept as rejects", "reason", records.count_rejects())
        dropped = records.count_dropped_rejects()
        yield _family("monuoc_rejects_dropped", "Rejects dropped for room since the beginning", "reason", dropped)
        beats = records.heartbeats()
        online = {name: float(beat.online) for name, beat in beats.items()}
        yield _family("monuoc_gateway_online", "1 unless the broker sent its will", "gateway", online)
        ages = {name: (now_ms - beat.received_ms) / 1000 for name, beat in beats.items()}
        yield _family("monuoc_gateway_heartbeat_age_seconds", "Since its last heartbeat", "gateway", ages)
        depths = {name: depth for name, beat in beats.items() if (depth := _read_depth(beat)) is not None}
        yield _family("monuoc_gateway_spool_depth", "Frames that wait there", "gateway", depths)
        node_ages = self._node_ages(self._site.snapshot.get(), now_ms)
        yield _family("monuoc_node_reading_age_seconds", "Since its newest observation", "node", node_ages)

    def _node_ages(self, register: Register, now_ms: int) -> dict[str, float]:
        quantities = {asset.key: MEASURED[asset.kind] for asset in register.assets.values()}
        keys = [SeriesKey(asset, quantity) for asset, names in quantities.items() for quantity in names]
        heard: dict[str, int] = {}
        for key, observation in self._site.observations.latest(keys).items():
            heard[key.asset] = max(heard.get(key.asset, 0), observation.at_ms)
        lasting = [placement for placement in register.placements if placement.to_at is None]
        ages: dict[str, float] = {}
        for placement in lasting:
            if placement.asset in heard:
                age_s = (now_ms - heard[placement.asset]) / 1000
                ages[placement.node] = min(ages.get(placement.node, age_s), age_s)
        return ages


def _family(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _read_depth(beat: Heartbeat) -> float | None:
    spool = beat.body.get("spool")
    depth = spool.get("depth") if isinstance(spool, dict) else None
    return depth if isinstance(depth, (int, float)) else None


def metrics_routes(figures: Figures) -> APIRouter:
    """`/metrics`."""
    router = APIRouter()

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)

    return router
