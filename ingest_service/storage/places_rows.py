"""Shape of the places file: which tables and keys it may have, and their kinds."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ingest_service.domain.places import Tank, TankShape

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
Gateway = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_-]{1,8}$")]
NodeKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}/[A-Z0-9_-]{1,8}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Phone = Annotated[str, StringConstraints(pattern=r"^(\+?\d[\d .-]{1,18}\d)$")]
Metres = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Flow = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-03-01T00:00:00+07:00")
    return at


Instant = Annotated[datetime, Field(strict=True), AfterValidator(_aware)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ContactRow(_Row):
    """[[place.contact]]."""

    name: Name
    phone: Phone
    role: Literal["group", "technician", "manager"]


class PlaceRow(_Row):
    """[[place]]."""

    key: Key
    name: Name
    commune: str = ""
    people: int | None = Field(default=None, ge=0, le=1_000_000)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    contact: list[ContactRow] = []


class ShapeRow(BaseModel):
    """[asset.tank.shape]; its other keys are the dimensions of that kind."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, float] = Field(init=False)

    kind: Literal["rectangular", "cylinder", "horizontal_cylinder", "frustum", "jar", "dished", "table"]
    points: list[tuple[float, float]] = Field(default=[], strict=False)


class TankRow(_Row):
    """[asset.tank]."""

    shape: ShapeRow
    outlet_m: Metres
    full_m: Metres
    sensor_height_m: Metres
    source: Literal["rain", "piped"] = "piped"
    max_inflow_lpm: Flow = 60.0
    max_outflow_lpm: Flow = 60.0
    blind_zone_m: Metres = 0.25


class AssetRow(_Row):
    """[[asset]]."""

    key: Key
    place: Key
    kind: Literal["tank", "filter", "line"]
    name: Name
    tank: TankRow | None = None
    thresholds: dict[str, dict[str, float]] = {}


class NodeRow(_Row):
    """[[node]]."""

    gateway: Gateway
    id: NodeId
    place: Key
    interval_s: float = Field(default=60.0, ge=1, le=86_400)


class PlacementRow(_Row):
    """[[placement]]: channels of one node at one asset from one instant to another."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    node: NodeKey
    asset: Key
    channels: Annotated[list[str], Field(min_length=1)]
    from_at: Instant = Field(alias="from")
    to_at: Instant | None = Field(default=None, alias="to")
    sensor_height_m: Metres | None = None
    direction: Literal["in", "out"] | None = None


class PlacesRows(_Row):
    """The whole file."""

    place: list[PlaceRow] = []
    asset: list[AssetRow] = []
    node: list[NodeRow] = []
    placement: list[PlacementRow] = []


def build_tank(row: TankRow) -> Tank:
    """The tank that a row describes; `domain.tank.tank_faults` says whether it can be."""
    shape = TankShape(row.shape.kind, dict(row.shape.__pydantic_extra__), tuple(row.shape.points))
    return Tank(shape=shape, **row.model_dump(exclude={"shape"}))
