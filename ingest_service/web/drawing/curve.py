"""Lays out a week's curve: where the line runs, where it breaks, what stands at the axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

from ingest_service.services.ports import Bucket
from ingest_service.services.report import DAY_MS, Week

WIDTH: Final = 360
HEIGHT: Final = 212
LEFT: Final = 44
RIGHT: Final = 352
TOP: Final = 14
BOTTOM: Final = 164

_ZONE_MS: Final = 7 * 3_600_000


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis: where, and the number or instant that stands there."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Ready to draw in a box of WIDTH x HEIGHT.

    Attributes:
        line: SVG path of the hourly means, broken where hours are missing.
        area: SVG path of the surface below; empty where the axis does not begin at 0.
        rows: horizontal lines with their values, from the bottom.
        days: local midnights with their instants; a day's name stands between two.
        lowest, highest: the buckets of the least and greatest hourly mean; None when there is nothing to draw.
        limit: a threshold's line; None for none.
        now: the newest drawn point as (x, y); None when there is nothing to draw.
        day_width: how wide 24 hours are.
        decimals: digits behind the comma that the rows need.
        gaps: hours are missing between the first known one and the last.
    """

    line: str
    area: str
    rows: tuple[Tick, ...]
    days: tuple[Tick, ...]
    lowest: Bucket | None
    highest: Bucket | None
    limit: Tick | None
    now: tuple[float, float] | None
    day_width: float
    decimals: int
    gaps: bool


def lay_curve(week: Week, limit: float | None = None, bounds: tuple[float, float] | None = None) -> Curve:
    """Lay out a week.

    Args:
        week: hourly buckets; only their means are drawn.
        limit: a threshold to show, in the quantity's unit.
        bounds: least and greatest value of the axis; found from the data when None.
    """
    known = [bucket for bucket in week.buckets if bucket.mean is not None]
    low, high, step = _find_axis([bucket.mean or 0.0 for bucket in known], bounds)

    def x(at_ms: float) -> float:
        return LEFT + (at_ms - week.from_ms) / (week.to_ms - week.from_ms) * (RIGHT - LEFT)

    def y(value: float) -> float:
        return BOTTOM - (min(max(value, low), high) - low) / (high - low) * (BOTTOM - TOP)

    half_ms = (week.to_ms - week.from_ms) / len(week.buckets) / 2
    runs = [[(x(b.start_ms + half_ms), y(b.mean)) for b in run if b.mean is not None] for run in _runs(week.buckets)]
    first_midnight = ((week.from_ms + _ZONE_MS) // DAY_MS + 1) * DAY_MS - _ZONE_MS
    return Curve(
        line="".join(_line(run) for run in runs),
        area="".join(_area(run) for run in runs if len(run) > 1 and low == 0),
        rows=tuple(Tick(y(low + n * step), low + n * step) for n in range(round((high - low) / step) + 1)),
        days=tuple(Tick(x(at_ms), at_ms) for at_ms in range(first_midnight, week.to_ms, DAY_MS)),
        lowest=min(known, key=lambda bucket: bucket.mean or 0.0, default=None),
        highest=max(known, key=lambda bucket: bucket.mean or 0.0, default=None),
        limit=Tick(y(limit), limit) if limit is not None and low < limit < high else None,
        now=runs[-1][-1] if runs else None,
        day_width=(RIGHT - LEFT) / 7,
        decimals=next((n for n in range(4) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 4),
        gaps=len(runs) > 1,
    )


def _runs(buckets: Sequence[Bucket]) -> Iterator[list[Bucket]]:
    """Unbroken stretches of known hours."""
    run: list[Bucket] = []
    for bucket in buckets:
        if bucket.mean is not None:
            run.append(bucket)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _line(run: Sequence[tuple[float, float]]) -> str:
    """A lone point becomes a dot: a line of no length with round ends."""
    x, y = run[0]
    rest = "".join(f"L{x:.0f} {y:.1f}" for x, y in run[1:])
    return f"M{x:.0f} {y:.1f}" + (rest or "h0")


def _area(run: Sequence[tuple[float, float]]) -> str:
    return f"M{run[0][0]:.0f} {BOTTOM}" + "".join(f"L{x:.0f} {y:.0f}" for x, y in run) + f"V{BOTTOM}Z"


def _find_axis(values: Sequence[float], bounds: tuple[float, float] | None) -> tuple[float, float, float]:
    """Least value, greatest value and step of two to five round rows."""
    low, high = bounds or (min(values, default=0.0), max(values, default=1.0))
    if bounds is None and low >= 0 and low < high * 0.75:
        low = 0.0
    span = max(high - low, abs(high) * 0.1, 0.1)
    raw = span / 4
    power: float = 10 ** floor(log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    bottom = floor(low / step + 1e-9) * step
    rows = 1
    while bottom + rows * step < low + span - step * 1e-6:
        rows += 1
    return bottom, bottom + rows * step, step
