"""Reads what a page, a person or another program wants to know, with few reads of the stores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ingest_service.domain import supply
from ingest_service.domain.places import Asset, Node, Place, Register
from ingest_service.services.ports import (
    Bucket,
    Observation,
    Observations,
    OpenAlert,
    Points,
    Qc,
    Records,
    SeriesKey,
)

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS

TANK_QUANTITIES: Final = ("fill_pct", "volume_l", "level_m")
MEASURED: Final[dict[str, tuple[str, ...]]] = {
    "tank": TANK_QUANTITIES,
    "filter": ("flow_lpm", "head_m", "temperature_c"),
    "line": ("flow_lpm", "pressure_bar", "volume_total_l"),
}
"""What is shown of each kind of asset, the most telling first."""

_LOOK_BACK: Final = 240
_STALE_LEAST_MS: Final = 15 * 60_000
_STALE_INTERVALS: Final = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one series now.

    Attributes:
        good: newest observation that passed quality control; None if there is none among the newest few.
        newest: newest observation of whatever quality; None if the series holds nothing.
    """

    good: Observation | None
    newest: Observation | None

    @property
    def doubted(self) -> bool:
        """True when something newer than the good one came and is not to be trusted."""
        return self.newest is not None and self.newest != self.good


@dataclass(frozen=True, slots=True)
class AssetState:
    """An asset as a page shows it.

    Attributes:
        asset, place: whose.
        readings: by catalogue key, in the order in which they are shown; quantities that hold nothing are absent.
        heard_ms: newest instant of any observation; None if nothing was ever heard.
        silent: nothing heard for longer than `stale_after_ms`.
        stale_after_ms: three reporting intervals, at least 15 minutes.
        alerts: open ones of this asset, worst first.
        device_alerts: open ones of the node or gateway behind it.
    """

    asset: Asset
    place: Place
    readings: dict[str, Reading]
    heard_ms: int | None
    silent: bool
    stale_after_ms: int
    alerts: tuple[OpenAlert, ...] = ()
    device_alerts: tuple[OpenAlert, ...] = ()

    @property
    def condition(self) -> str:
        """One word: the worst open alert's rule, else "offline", "no_data" or "ok"."""
        if self.alerts:
            return self.alerts[0].latest.rule
        if self.heard_ms is None:
            return "no_data"
        return "offline" if self.silent or self.device_alerts else "ok"

    @property
    def doubted(self) -> bool:
        """True when newer values than the ones shown came and are not to be trusted."""
        return any(reading.doubted for reading in self.readings.values())

    def good(self, quantity: str) -> float | None:
        """Last good value of a quantity; None if there is none."""
        reading = self.readings.get(quantity)
        return reading.good.value if reading and reading.good else None

    def good_ms(self) -> int | None:
        """Instant of the newest good value."""
        return max((r.good.at_ms for r in self.readings.values() if r.good), default=None)


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days by the hour.

    Attributes:
        quantity: catalogue key.
        from_ms, to_ms: whole hours; to_ms is the end of the current one.
        buckets: one for every hour.
    """

    quantity: str
    from_ms: int
    to_ms: int
    buckets: Sequence[Bucket]


_RANK: Final = {"critical": 0, "warning": 1, "info": 2}


def rank_condition(state: AssetState) -> tuple[int, str]:
    """Sort key: what needs somebody most comes first."""
    if state.alerts:
        return _RANK[state.alerts[0].latest.severity], state.asset.name
    return {"offline": 3, "no_data": 4}.get(state.condition, 5), state.asset.name


def read_states(
    register: Register, assets: Iterable[Asset], observations: Observations, alerts: Sequence[OpenAlert], now_ms: int
) -> list[AssetState]:
    """States of several assets with one read of the newest values, and one more for each doubted series."""
    wanted = list(assets)
    keys = [SeriesKey(asset.key, quantity) for asset in wanted for quantity in MEASURED[asset.kind]]
    newest = observations.latest(keys)
    states = []
    for asset in wanted:
        found = {key.quantity: newest[key] for key in keys if key.asset == asset.key and key in newest}
        readings = {q: _reading(SeriesKey(asset.key, q), seen, observations) for q, seen in found.items()}
        states.append(_state(register, asset, readings, alerts, now_ms))
    return states


def _state(
    register: Register, asset: Asset, readings: dict[str, Reading], alerts: Sequence[OpenAlert], now_ms: int
) -> AssetState:
    nodes = find_nodes(register, asset.key, now_ms)
    devices = {f"node:{node.key}" for node in nodes} | {f"gateway:{node.gateway}" for node in nodes}
    heard_ms = max((reading.newest.at_ms for reading in readings.values() if reading.newest), default=None)
    stale_after_ms = find_stale_after_ms(nodes)
    return AssetState(
        asset=asset,
        place=register.places[asset.place],
        readings=readings,
        heard_ms=heard_ms,
        silent=heard_ms is None or now_ms - heard_ms > stale_after_ms,
        stale_after_ms=stale_after_ms,
        alerts=tuple(alert for alert in alerts if alert.latest.asset == asset.key),
        device_alerts=tuple(alert for alert in alerts if alert.latest.asset in devices),
    )


def _reading(key: SeriesKey, newest: Observation, observations: Observations) -> Reading:
    if newest.qc == Qc.GOOD and newest.value is not None:
        return Reading(newest, newest)
    tail = observations.before(key, newest.at_ms, _LOOK_BACK)
    good = (Observation(*row) for row in zip(tail.at_ms, tail.value, tail.qc, strict=True) if _is_good(row[1], row[2]))
    return Reading(max(good, key=lambda observation: observation.at_ms, default=None), newest)


def _is_good(value: float | None, qc: int) -> bool:
    return qc == Qc.GOOD and value is not None


def find_nodes(register: Register, asset: str, at_ms: int) -> list[Node]:
    """Nodes that measure at an asset at an instant."""
    keys = {
        placement.node
        for placement in register.placements
        if placement.asset == asset
        and placement.from_at.timestamp() * 1000 <= at_ms
        and (placement.to_at is None or at_ms < placement.to_at.timestamp() * 1000)
    }
    return [register.nodes[key] for key in sorted(keys) if key in register.nodes]


def find_stale_after_ms(nodes: Sequence[Node]) -> int:
    """How long silence is still normal, in milliseconds."""
    slowest_s = max((node.interval_s for node in nodes), default=0.0)
    return max(round(slowest_s * 1000) * _STALE_INTERVALS, _STALE_LEAST_MS)


def read_week(observations: Observations, asset: str, quantity: str, now_ms: int) -> Week:
    """The last seven days by whole hours, the current hour included."""
    to_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    from_ms = to_ms - WEEK_MS
    return Week(quantity, from_ms, to_ms, observations.aggregate(SeriesKey(asset, quantity), from_ms, to_ms, HOUR_MS))


def estimate_days_left(week: Week, fill_pct: float | None) -> float | None:
    """Days until a tank is empty, from a week of its `fill_pct` and its fill now; None if there is no telling."""
    return supply.estimate_days_left([hour.last for hour in week.buckets], fill_pct)


def read_series(
    observations: Observations, key: SeriesKey, from_ms: int, to_ms: int, step_ms: int | None
) -> Points | list[Bucket]:
    """Observations as they are, or by steps when `step_ms` is given."""
    if step_ms is None:
        return observations.read(key, from_ms, to_ms)
    return observations.aggregate(key, from_ms, to_ms, step_ms)


def read_ready(observations: Observations, records: Records) -> None:
    """Return if both stores answer a trivial read, else raise."""
    records.ready()
    observations.latest([SeriesKey("", "")])
