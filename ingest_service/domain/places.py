"""What stands where: places, assets, nodes, and which probe sat at which asset when."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

AssetKind = Literal["tank", "filter", "line"]
TankSource = Literal["rain", "piped"]
Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to call. `phone` is written as people dial it, e.g. "0912 345 678"."""

    name: str
    phone: str
    role: Literal["group", "technician", "manager"]


@dataclass(frozen=True, slots=True)
class Place:
    """A commune or hamlet.

    Attributes:
        key: stable, lower case, hyphens; part of addresses.
        name: as its people write it.
        commune: name of the commune, "" if the place is one.
        people: how many drink here; None if unknown.
        latitude, longitude: degrees WGS 84; None if unknown.
        contacts: whom to call, first one first.
    """

    key: str
    name: str
    commune: str = ""
    people: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class TankShape:
    """Geometry of a tank in metres; `domain.tank` computes with it.

    Attributes:
        kind: which formula.
        dimensions: named lengths of that kind, e.g. {"diameter_m": 1.2}; see `domain.tank.SHAPES`.
        points: for "jar": (height_m, diameter_m); for "table": (height_m, volume_l); else empty.
    """

    kind: Literal["rectangular", "cylinder", "horizontal_cylinder", "frustum", "jar", "dished", "table"]
    dimensions: dict[str, float] = field(default_factory=dict)
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Tank:
    """What a tank adds to an asset.

    Attributes:
        shape: its geometry.
        outlet_m: height of the outlet above tank zero; water below it cannot be used.
        full_m: level at which the tank is full (overflow lip).
        sensor_height_m: face of the level sensor above tank zero (H_s).
        source: what fills it; decides how loud an overflow is.
        max_inflow_lpm, max_outflow_lpm: greatest believable flows, for the rate gate.
        blind_zone_m: distance below which the sensor cannot see.
    """

    shape: TankShape
    outlet_m: float
    full_m: float
    sensor_height_m: float
    source: TankSource = "piped"
    max_inflow_lpm: float = 60.0
    max_outflow_lpm: float = 60.0
    blind_zone_m: float = 0.25


@dataclass(frozen=True, slots=True)
class Asset:
    """A thing that is looked after: a tank, a filter or a line.

    Attributes:
        key: stable, unique in the whole system; part of addresses.
        thresholds: per-asset overrides of alert rules, e.g. {"tank_low": {"raise_at": 25.0}}.
        tank: geometry, exactly when `kind` is "tank".
    """

    key: str
    place: str
    kind: AssetKind
    name: str
    tank: Tank | None = None
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """A microcontroller behind a gateway. `key` is "{gateway}/{id}", e.g. "lung-sau/T01"."""

    gateway: str
    id: str
    place: str
    interval_s: float = 60.0

    @property
    def key(self) -> str:
        """Name of the node in the whole system."""
        return f"{self.gateway}/{self.id}"


@dataclass(frozen=True, slots=True)
class Placement:
    """A node's channel measured at an asset from one instant to another.

    Attributes:
        node: `Node.key`.
        channel: name on the wire: a catalogue key, with a digit 2 to 9 behind it for a second probe of the kind
            on one node (`distance_m`, `distance_m2`).
        asset: `Asset.key`.
        from_at: aware UTC, inclusive.
        to_at: aware UTC, exclusive; None while it lasts.
        sensor_height_m: H_s of this mounting; None takes the tank's.
        direction: for a flow meter at a tank: whether it measures what flows in or what flows out.
    """

    node: str
    channel: str
    asset: str
    from_at: datetime
    to_at: datetime | None = None
    sensor_height_m: float | None = None
    direction: Direction = "in"


@dataclass(frozen=True, slots=True)
class Register:
    """Everything that is placed, as one unchangeable snapshot.

    `version` grows with every accepted change of the places file, so that a process can see that it is behind.
    """

    version: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    placements: tuple[Placement, ...] = ()
