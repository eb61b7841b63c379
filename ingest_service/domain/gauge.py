"""What a placed probe tells: where its readings belong, which are believable, what follows from them."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from ingest_service.domain.catalogue import OUTWARD, QUANTITIES
from ingest_service.domain.places import Asset, Placement, Register
from ingest_service.domain.quality import Bounds, distance_bounds, head_bounds
from ingest_service.domain.tank import Contents

_CHANNEL: Final = re.compile(r"([a-z_]+)[2-9]?")
_DEVICE_QUANTITIES: Final = frozenset({"battery_v"})
_FOREVER_MS: Final = 1 << 62


def quantity_of(channel: str) -> str | None:
    """Catalogue key that a channel measures; None if it is none that a gateway may send."""
    matched = _CHANNEL.fullmatch(channel)
    quantity = QUANTITIES.get(matched[1]) if matched else None
    return None if quantity is None or quantity.derived or quantity.sent_as else quantity.key


def placed_quantity(placement: Placement) -> str | None:
    """Catalogue key of the series that a placed channel feeds; None if no gateway may send the channel."""
    quantity = quantity_of(placement.channel)
    return quantity if quantity is None or placement.direction == "in" else OUTWARD.get(quantity, quantity)


class Level(NamedTuple):
    """How a tank's level follows from a probe's value: `offset_m + sign * value`."""

    offset_m: float
    sign: float
    contents: Contents


@dataclass(frozen=True, slots=True)
class Gauge:
    """One channel at one asset for one stretch of time.

    Attributes:
        asset: `Asset.key`, or "node:{gateway}/{id}" for what a node tells about itself.
        quantity: catalogue key.
        from_ms, to_ms: the stretch, beginning inclusive, end exclusive.
        low, high: plausible range, inclusive, in the quantity's unit.
        bounds: what is believable of a level; None for other quantities.
        level: how the level follows; None when it does not.
    """

    asset: str
    quantity: str
    from_ms: int
    to_ms: int
    low: float
    high: float
    bounds: Bounds | None = None
    level: Level | None = None


class Gauges:
    """All gauges of a register, found by node and channel."""

    def __init__(self, register: Register) -> None:
        self._nodes = frozenset(register.nodes)
        self._placed: dict[tuple[str, str], list[Gauge]] = {}
        with_distance = _tanks_with_distance(register.placements)
        for placement in sorted(register.placements, key=lambda placement: placement.from_at):
            gauge = _gauge(placement, register.assets[placement.asset], with_distance)
            if gauge is not None:
                self._placed.setdefault((placement.node, placement.channel), []).append(gauge)

    def has_node(self, node: str) -> bool:
        """Whether `node` ("{gateway}/{id}") is registered."""
        return node in self._nodes

    def of(self, node: str, channel: str) -> Sequence[Gauge]:
        """Gauges of a known channel of a known node by time; a device quantity that is not placed is the node's own."""
        placed = self._placed.get((node, channel))
        if placed is None and channel in _DEVICE_QUANTITIES:
            placed = self._placed[node, channel] = [_own(node, channel)]
        return placed or ()


def index_at(gauges: Sequence[Gauge], at_ms: int) -> int:
    """Index of the last gauge that begins at or before an instant; -1 if none does."""
    return bisect_right(gauges, at_ms, key=lambda gauge: gauge.from_ms) - 1


def epoch_ms(at: datetime | None) -> int:
    """Milliseconds since 1970 UTC of an aware instant; far ahead for None."""
    return _FOREVER_MS if at is None else round(at.timestamp() * 1000)


def _own(node: str, channel: str) -> Gauge:
    quantity = QUANTITIES[channel]
    return Gauge(f"node:{node}", channel, 0, _FOREVER_MS, quantity.low, quantity.high)


def _tanks_with_distance(placements: Iterable[Placement]) -> frozenset[str]:
    return frozenset(one.asset for one in placements if quantity_of(one.channel) == "distance_m")


def _gauge(placement: Placement, asset: Asset, with_distance: frozenset[str]) -> Gauge | None:
    key = placed_quantity(placement)
    if key is None:
        return None
    quantity, tank = QUANTITIES[key], asset.tank
    bounds: Bounds | None = None
    level: Level | None = None
    if tank is not None and key == "distance_m":
        height_m = tank.sensor_height_m if placement.sensor_height_m is None else placement.sensor_height_m
        bounds = distance_bounds(tank, height_m)
        level = Level(height_m, -1.0, Contents.of(tank))
    elif tank is not None and key == "head_m" and asset.key not in with_distance:
        bounds = head_bounds(tank, quantity.low, quantity.high)
        level = Level(placement.sensor_height_m or 0.0, 1.0, Contents.of(tank))
    from_ms, to_ms = epoch_ms(placement.from_at), epoch_ms(placement.to_at)
    return Gauge(asset.key, key, from_ms, to_ms, quantity.low, quantity.high, bounds, level)
