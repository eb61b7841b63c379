"""The shapes of the API's answers; units stand in names, instants are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

_Key = Annotated[str, Field(examples=["lung-sau-be-1"])]
Shape = Literal["rectangular", "cylinder", "horizontal_cylinder", "frustum", "jar", "dished", "table"]
Aggregate = Literal["mean", "minimum", "maximum", "last"]


def instant(at_ms: int) -> datetime:
    """Milliseconds since 1970 as the API gives them."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class PlaceOut(BaseModel):
    """A commune or hamlet."""

    key: _Key
    name: str
    commune: str = Field(description="name of the commune; empty if the place is one")
    people: int | None = Field(description="how many drink here; null if unknown")
    latitude: float | None = Field(description="degrees WGS 84")
    longitude: float | None = Field(description="degrees WGS 84")
    assets: list[str] = Field(description="keys of its assets")


class AssetOut(BaseModel):
    """A tank, filter or line."""

    key: _Key
    place: str = Field(description="key of its place")
    kind: Literal["tank", "filter", "line"]
    name: str
    shape: Shape | None = Field(description="of a tank; null for others")
    capacity_l: float | None = Field(description="usable litres of a full tank; null for others")
    quantities: list[str] = Field(description="catalogue keys that are shown of it")


class LatestOut(BaseModel):
    """The newest observation of a series, and the newest one that passed quality control."""

    asset: str
    quantity: str = Field(examples=["fill_pct"])
    unit: str
    at: AwareDatetime = Field(description="instant of the newest observation")
    value: float | None = Field(description="null: tried and failed")
    qc: int = Field(description="1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing (QARTOD)")
    good_at: AwareDatetime | None = Field(description="instant of the last good one; null if none is near")
    good_value: float | None
    stale: bool = Field(description="nothing heard for over three intervals and 15 minutes")


class PointOut(BaseModel):
    """One observation, or one step."""

    at: AwareDatetime = Field(description="instant of the observation, or beginning of the step")
    value: float | None = Field(description="null: tried and failed, or a step without good observations")
    qc: int | None = Field(description="quality of an observation; null for a step, which counts good ones only")
    samples: int | None = Field(description="good observations in a step; null for an observation")


class SeriesOut(BaseModel):
    """A stretch of one series."""

    asset: str
    quantity: str
    unit: str
    step_s: int | None = Field(description="length of a step in seconds; null: observations as they are")
    aggregate: Aggregate | None
    points: list[PointOut]


class AlertOut(BaseModel):
    """An alert by its latest change."""

    id: str
    rule: str = Field(examples=["tank_low"])
    subject: str = Field(description='key of an asset, or "gateway:..." or "node:..."')
    state: Literal["raised", "cleared", "changed"]
    severity: Literal["info", "warning", "critical"]
    raised_at: AwareDatetime | None = Field(description="when it became true; null when that is before the range")
    changed_at: AwareDatetime = Field(description="instant of the latest change")
    reason: str
    evidence: dict[str, float | int | str | None] = Field(description="numbers behind it; `_ms`: since 1970 UTC")
    text: dict[str, str] = Field(description="the sentence for people, by language")
