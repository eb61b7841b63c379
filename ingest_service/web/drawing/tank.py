"""Lays out a picture of a tank, true to its shape, filled to its level.

The outline comes from the same formula as the litres: the width at a height is that of the water's surface there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import pi, sqrt
from typing import Final

from ingest_service.domain.places import Tank, TankShape
from ingest_service.domain.tank import volume_of

WIDTH: Final = 216
HEIGHT: Final = 216
BASE: Final = 200
_TALLEST: Final = 176.0
_WIDEST: Final = 144.0
_MIDDLE: Final = 80.0
_SLICES: Final = 48
_FLATTEST: Final = 2.4
_SLIMMEST: Final = 0.55


@dataclass(frozen=True, slots=True)
class Picture:
    """Ready to draw in a box of WIDTH x HEIGHT; y grows downwards, the tank's zero stands at BASE.

    Attributes:
        outline: SVG path of the tank's inside.
        rim: SVG path of its wall; open at the top where the shape is.
        left, right: greatest extent of the outline.
        top: y of its upper rim.
        level: y of the water's surface; None when the level is unknown.
        full: y of the overflow lip.
        outlet: y of the outlet.
        outlet_x: where the wall is at the outlet's height.
    """

    outline: str
    rim: str
    left: float
    right: float
    top: float
    level: float | None
    full: float
    outlet: float
    outlet_x: float


def lay_tank(tank: Tank, level_m: float | None) -> Picture:
    """Lay out a tank with water up to `level_m`; levels outside the tank are drawn at its bottom or rim."""
    top_m = _find_top_m(tank)
    half_m = _half_widths(tank.shape, top_m)
    heights = [top_m * n / _SLICES for n in range(_SLICES + 1)]
    widest_m = max(half_m(height) for height in heights) * 2
    shown = min(max(widest_m / top_m, _SLIMMEST), _FLATTEST)
    tall = min(_TALLEST, _WIDEST / shown)
    across = shown * tall / widest_m

    def y(height_m: float) -> float:
        return round(BASE - min(max(height_m, 0.0), top_m) / top_m * tall, 2)

    def half(height_m: float) -> float:
        return half_m(height_m) * across

    right_side = [(_MIDDLE + half(height), y(height)) for height in heights]
    left_side = [(_MIDDLE - half(height), y(height)) for height in reversed(heights)]
    wall = _straighten([*reversed(right_side), *reversed(left_side)])
    path = "M" + "L".join(f"{x:.1f} {down:.1f}" for x, down in wall)
    outlet_m = max(tank.outlet_m, top_m * 0.02)
    return Picture(
        outline=path + "Z",
        rim=path + ("Z" if tank.shape.kind == "horizontal_cylinder" else ""),
        left=_MIDDLE - widest_m * across / 2,
        right=_MIDDLE + widest_m * across / 2,
        top=y(top_m),
        level=None if level_m is None else y(level_m),
        full=y(tank.full_m),
        outlet=y(outlet_m),
        outlet_x=_MIDDLE + half(outlet_m),
    )


def _find_top_m(tank: Tank) -> float:
    """The rim: of the shape where it has one, else a hand above the overflow lip."""
    shape = tank.shape
    if shape.points:
        return max(shape.points[-1][0], tank.full_m)
    if shape.kind == "horizontal_cylinder":
        return shape.dimensions["diameter_m"]
    return shape.dimensions.get("height_m", tank.full_m * 1.08)


def _half_widths(shape: TankShape, top_m: float) -> Callable[[float], float]:
    """Half the width in metres at a height, from the growth of the volume there."""
    litres = volume_of(shape)
    tiny = top_m / 2000

    def area_m2(height_m: float) -> float:
        low = min(max(height_m - tiny, 0.0), top_m - 2 * tiny)
        return max(litres(low + 2 * tiny) - litres(low), 0.0) / 1000 / (2 * tiny)

    if shape.kind == "horizontal_cylinder":
        length_m = shape.dimensions["length_m"]
        return lambda height_m: area_m2(height_m) / length_m / 2
    if shape.kind == "table":
        return _smooth(shape, area_m2)
    if shape.kind == "rectangular":
        longest_m = max(shape.dimensions.values())
        return lambda _height_m: longest_m / 2
    return lambda height_m: sqrt(area_m2(height_m) / pi)


def _smooth(shape: TankShape, area_m2: Callable[[float], float]) -> Callable[[float], float]:
    """A table knows only mean widths between its heights: the wall runs straight from middle to middle."""
    heights = [height for height, _ in shape.points]
    middles = [(low + high) / 2 for low, high in pairwise(heights)]
    halves = [sqrt(area_m2(middle) / pi) for middle in middles]

    def half_m(height_m: float) -> float:
        for (low, low_half), (high, high_half) in pairwise(zip(middles, halves, strict=True)):
            if low <= height_m <= high:
                return low_half + (high_half - low_half) * (height_m - low) / (high - low)
        return halves[0] if height_m < middles[0] else halves[-1]

    return half_m


def _straighten(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out corners that lie on the straight line between their neighbours."""
    kept = corners[:1]
    for here, after in pairwise(corners[1:]):
        before = kept[-1]
        cross = (here[0] - before[0]) * (after[1] - before[1]) - (here[1] - before[1]) * (after[0] - before[0])
        if abs(cross) > 0.5:
            kept.append(here)
    return [*kept, corners[-1]]
