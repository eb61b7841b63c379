"""When each gateway and each node was last heard, and how often it should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest_service.domain.device_alert import silence_limit_ms
from ingest_service.domain.gauge import epoch_ms, placed_quantity
from ingest_service.domain.places import Register
from ingest_service.services.ports import Heartbeat, Observation, SeriesKey

HEARTBEAT_MS: Final = 60_000
"""How often a gateway tells how it is, unless it says otherwise."""

EAR: Final = "heard@listen"
"""Working state in which `listen` writes down, as a `Heard`, from when to when it could hear and store."""


class Heard(NamedTuple):
    """When a gateway was last heard, and since when it has been heard without a long break."""

    last_ms: int
    since_ms: int

    def to_text(self) -> str:
        """As text; `from_text` reads it back."""
        return f"{self.last_ms} {self.since_ms}"

    @classmethod
    def from_text(cls, text: str) -> "Heard | None":
        """Read what `to_text` wrote; None of ""."""
        return cls(*map(int, text.split())) if text else None


@dataclass(frozen=True, slots=True)
class Hearing:
    """Instants in milliseconds since 1970 UTC by the server's clock; devices that were never heard are absent.

    Attributes:
        gateways: by gateway id: its heartbeats; a will is none.
        beats: by gateway id: milliseconds between its heartbeats.
        nodes: by `Node.key`: its last reading, or what its gateway says that it heard of it.
        intervals: by `Node.key`: milliseconds between its frames.
    """

    gateways: Mapping[str, Heard]
    beats: Mapping[str, float]
    nodes: Mapping[str, int]
    intervals: Mapping[str, float]


def node_series(register: Register, now_ms: int) -> dict[str, dict[SeriesKey, int]]:
    """By `Node.key`: the series that it feeds now, each with the instant since when it does."""
    series: dict[str, dict[SeriesKey, int]] = {
        key: {SeriesKey(f"node:{key}", "battery_v"): 0} for key in register.nodes
    }
    for one in register.placements:
        quantity, from_ms = placed_quantity(one), epoch_ms(one.from_at)
        if quantity is not None and from_ms <= now_ms < epoch_ms(one.to_at) and one.node in series:
            series[one.node][SeriesKey(one.asset, quantity)] = from_ms
    return series


def listen_back(
    series: Mapping[str, Mapping[SeriesKey, int]],
    newest: Mapping[SeriesKey, Observation],
    heartbeats: Mapping[str, Heartbeat],
    register: Register,
    *,
    remembered: Mapping[str, str],
    now_ms: int,
) -> Hearing:
    """Put together who was heard when.

    Args:
        series: from `node_series`.
        newest: newest observation of each of those series.
        heartbeats: newest per gateway.
        register: for the intervals.
        remembered: "heard@gateway:{id}" -> `Heard` of the last call, as text.
        now_ms: the present instant; nothing was heard after it.
    """
    gateways = {
        gateway: _heard(heartbeat, Heard.from_text(remembered.get(f"heard@gateway:{gateway}", "")), now_ms)
        for gateway, heartbeat in heartbeats.items()
    }
    beats = {gateway: _beat_ms(heartbeat) for gateway, heartbeat in heartbeats.items()}
    nodes: dict[str, int] = {}
    intervals: dict[str, float] = {}
    for key, node in register.nodes.items():
        told = _told(heartbeats.get(node.gateway), node.id)
        heard = [
            found.at_ms for one, from_ms in series[key].items() if (found := newest.get(one)) and found.at_ms >= from_ms
        ]
        if (last_s := _number(told.get("last_at"))) is not None and heard:
            heard.append(round(last_s * 1000))
        if heard:
            nodes[key] = min(now_ms, max(heard))
        intervals[key] = max(node.interval_s, _number(told.get("interval_s")) or 0.0) * 1000
    return Hearing(gateways, beats, nodes, intervals)


def _heard(heartbeat: Heartbeat, before: Heard | None, now_ms: int) -> Heard:
    """A broker hands a retained heartbeat out again much later, so the gateway's own clock counts, if it is sure."""
    sure = heartbeat.body.get("clock") in {"synced", "trusted"}
    last_ms = min(now_ms, heartbeat.received_ms, heartbeat.at_ms if sure else now_ms)
    if before is None:
        return Heard(last_ms, last_ms)
    if not heartbeat.online or last_ms <= before.last_ms:
        return before
    unbroken = last_ms - before.last_ms <= silence_limit_ms(_beat_ms(heartbeat))
    return Heard(last_ms, before.since_ms if unbroken else last_ms)


def _beat_ms(heartbeat: Heartbeat) -> float:
    return (_number(heartbeat.body.get("interval_s")) or 0.0) * 1000 or HEARTBEAT_MS


def _told(heartbeat: Heartbeat | None, node: str) -> Mapping[str, object]:
    nodes = heartbeat.body.get("nodes") if heartbeat else None
    told = nodes.get(node) if isinstance(nodes, dict) else None
    return told if isinstance(told, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e11 else None
