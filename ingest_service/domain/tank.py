"""Geometry of tanks: litres from height, height from litres, share above the outlet."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from ingest_service.domain.places import Tank, TankShape

SHAPES: Final = MappingProxyType(
    {
        "rectangular": ("length_m", "width_m"),
        "cylinder": ("diameter_m",),
        "horizontal_cylinder": ("diameter_m", "length_m"),
        "frustum": ("bottom_diameter_m", "top_diameter_m", "height_m"),
        "dished": ("diameter_m", "dish_depth_m"),
        "jar": (),
        "table": (),
    }
)
"""The dimensions that each kind of shape needs; "jar" and "table" are given by points instead."""

_TALLEST_M: Final = 100.0
_LITRES: Final = 1000.0
_Litres = Callable[[float], float]


def shape_faults(shape: TankShape) -> list[str]:
    """Say in plain English what is wrong with a shape; an empty list means nothing is."""
    if shape.kind not in SHAPES:
        return [f"unknown kind {shape.kind!r}: use one of {', '.join(SHAPES)}"]
    needed = SHAPES[shape.kind]
    faults = [f"{shape.kind} needs {name}" for name in needed if name not in shape.dimensions]
    faults += [f"{shape.kind} has no {name}" for name in shape.dimensions if name not in needed]
    faults += [
        f"{name} is {size}: it must be a number above 0 and at most {_TALLEST_M:g}"
        for name, size in shape.dimensions.items()
        if not 0 < size <= _TALLEST_M
    ]
    if needed and shape.points:
        faults.append(f"{shape.kind} takes dimensions, not points")
    if not needed:
        faults += _point_faults(shape)
    if shape.kind == "dished" and not faults and shape.dimensions["dish_depth_m"] > shape.dimensions["diameter_m"] / 2:
        faults.append("dish_depth_m is more than half of diameter_m: a dish is at most half a ball")
    return faults


def _point_faults(shape: TankShape) -> list[str]:
    heights = [height for height, _ in shape.points]
    sizes = [size for _, size in shape.points]
    if len(heights) < 2:
        return [f"{shape.kind} needs at least two points"]
    if not all(math.isfinite(number) for point in shape.points for number in point):
        return ["points must be numbers"]
    faults = []
    if any(upper <= lower for lower, upper in pairwise(heights)):
        faults.append("heights of the points must rise from point to point")
    if shape.kind == "table" and any(upper < lower for lower, upper in pairwise(sizes)):
        faults.append("litres of the points must not fall from point to point")
    if shape.kind == "table" and sizes[-1] <= sizes[0]:
        faults.append("litres of the last point must be more than of the first")
    if min(sizes) < 0:
        faults.append("points must not be negative")
    if shape.kind == "jar" and (heights[0] != 0 or min(sizes) == max(sizes) == 0):
        faults.append("a jar's first point is at height 0, its diameters are not all 0")
    return faults


def tank_faults(tank: Tank) -> list[str]:
    """Say in plain English what is wrong with a tank's shape or heights; an empty list means nothing is."""
    faults = shape_faults(tank.shape)
    if faults:
        return faults
    if tank.outlet_m < 0:
        faults.append(f"outlet_m is {tank.outlet_m}: it must not be below the tank's zero")
    if tank.full_m <= tank.outlet_m:
        faults.append(f"full_m {tank.full_m} must be above outlet_m {tank.outlet_m}")
    elif volume_l(tank.shape, tank.full_m) <= volume_l(tank.shape, tank.outlet_m):
        faults.append("there is no volume between outlet_m and full_m")
    top_m = _top_m(tank.shape)
    if tank.full_m > top_m:
        faults.append(f"full_m {tank.full_m} is above the top of the shape, {top_m:g} m")
    if tank.sensor_height_m <= tank.full_m:
        faults.append(f"sensor_height_m {tank.sensor_height_m} must be above full_m {tank.full_m}")
    if tank.max_inflow_lpm <= 0 or tank.max_outflow_lpm <= 0:
        faults.append("max_inflow_lpm and max_outflow_lpm must be above 0")
    if tank.blind_zone_m < 0:
        faults.append("blind_zone_m must not be negative")
    return faults


def volume_l(shape: TankShape, height_m: float) -> float:
    """Litres up to `height_m` above the tank's zero; heights outside the shape count as its bottom or top."""
    return volume_of(shape)(height_m)


def height_m(shape: TankShape, litres: float) -> float:
    """Least height in metres that holds `litres`; the top if the shape holds less, 0 for none."""
    volume = volume_of(shape)
    low, high = 0.0, _top_m(shape)
    if shape.kind == "table":
        low = shape.points[0][0]
    if litres <= volume(low):
        return low
    if litres > volume(high):
        return high
    while (middle := (low + high) / 2) not in {low, high}:
        if volume(middle) < litres:
            low = middle
        else:
            high = middle
    return high


def volume_of(shape: TankShape) -> _Litres:
    """The function from height in metres to litres of one shape, prepared for many calls."""
    return _FORMULAS[shape.kind](shape)


def _top_m(shape: TankShape) -> float:
    if shape.points:
        return shape.points[-1][0]
    if shape.kind == "horizontal_cylinder":
        return shape.dimensions["diameter_m"]
    return shape.dimensions.get("height_m", _TALLEST_M)


def _prism(area_m2: float) -> _Litres:
    litres_per_m = area_m2 * _LITRES
    return lambda height: litres_per_m * height if height > 0 else 0.0


def _rectangular(shape: TankShape) -> _Litres:
    return _prism(shape.dimensions["length_m"] * shape.dimensions["width_m"])


def _cylinder(shape: TankShape) -> _Litres:
    return _prism(math.pi * shape.dimensions["diameter_m"] ** 2 / 4)


def _horizontal_cylinder(shape: TankShape) -> _Litres:
    radius, length = shape.dimensions["diameter_m"] / 2, shape.dimensions["length_m"]

    def litres(height: float) -> float:
        height = min(max(height, 0.0), 2 * radius)
        above = radius - height
        chord = math.sqrt(max(0.0, (2 * radius - height) * height))
        return max(0.0, _LITRES * length * (radius**2 * math.acos(above / radius) - above * chord))

    return litres


def _frustum(shape: TankShape) -> _Litres:
    size = shape.dimensions
    return _stacked([(0.0, size["bottom_diameter_m"]), (size["height_m"], size["top_diameter_m"])])


def _jar(shape: TankShape) -> _Litres:
    return _stacked(shape.points)


def _stacked(points: Sequence[tuple[float, float]]) -> _Litres:
    """Frusta on one another, given by (height, diameter)."""
    heights = [height for height, _ in points]
    radii = [diameter / 2 for _, diameter in points]
    slopes = [(radii[i + 1] - radii[i]) / (heights[i + 1] - heights[i]) for i in range(len(points) - 1)]

    def part(i: int, rise: float) -> float:
        lower, upper = radii[i], radii[i] + slopes[i] * rise
        return _LITRES * math.pi * rise * (lower * lower + lower * upper + upper * upper) / 3

    below = [0.0]
    for i in range(len(slopes)):
        below.append(below[i] + part(i, heights[i + 1] - heights[i]))

    def litres(height: float) -> float:
        if height <= heights[0]:
            return 0.0
        if height >= heights[-1]:
            return below[-1]
        i = bisect_right(heights, height) - 1
        return min(below[i + 1], below[i] + part(i, height - heights[i]))

    return litres


def _dished(shape: TankShape) -> _Litres:
    radius, depth = shape.dimensions["diameter_m"] / 2, shape.dimensions["dish_depth_m"]
    ball = (radius**2 + depth**2) / (2 * depth)
    dish = _LITRES * math.pi * depth * (3 * radius**2 + depth**2) / 6
    litres_per_m = _LITRES * math.pi * radius**2

    def litres(height: float) -> float:
        if height <= 0:
            return 0.0
        if height < depth:
            return min(dish, _LITRES * math.pi * height * height * (3 * ball - height) / 3)
        return dish + litres_per_m * (height - depth)

    return litres


def _table(shape: TankShape) -> _Litres:
    heights = [height for height, _ in shape.points]
    volumes = [litres for _, litres in shape.points]

    def litres(height: float) -> float:
        if height <= heights[0]:
            return volumes[0]
        if height >= heights[-1]:
            return volumes[-1]
        i = bisect_right(heights, height) - 1
        share = (height - heights[i]) / (heights[i + 1] - heights[i])
        return min(volumes[i + 1], volumes[i] + share * (volumes[i + 1] - volumes[i]))

    return litres


_FORMULAS: Final[MappingProxyType[str, Callable[[TankShape], _Litres]]] = MappingProxyType(
    {
        "rectangular": _rectangular,
        "cylinder": _cylinder,
        "horizontal_cylinder": _horizontal_cylinder,
        "frustum": _frustum,
        "jar": _jar,
        "dished": _dished,
        "table": _table,
    }
)


@dataclass(frozen=True, slots=True)
class Contents:
    """A tank's numbers, prepared for many readings.

    Attributes:
        litres: from height in metres to litres above the tank's zero.
        dead_l: litres below the outlet.
        capacity_l: usable litres when full.
    """

    litres: _Litres
    dead_l: float
    capacity_l: float

    @classmethod
    def of(cls, tank: Tank) -> "Contents":
        """Prepare the numbers of `tank`, which has no `tank_faults`."""
        litres = volume_of(tank.shape)
        dead_l = litres(tank.outlet_m)
        return cls(litres, dead_l, litres(tank.full_m) - dead_l)

    def usable_l(self, level_m: float) -> float:
        """Litres above the outlet, rounded to 0.01; 0 when the level is below it."""
        usable = self.litres(level_m) - self.dead_l
        return round(usable, 2) if usable > 0 else 0.0

    def fill_pct(self, level_m: float) -> float:
        """Usable litres as percent of those when full, rounded to 0.01; above 100 when over the lip."""
        usable = self.litres(level_m) - self.dead_l
        return round(100.0 * usable / self.capacity_l, 2) if usable > 0 else 0.0


def least_area_m2(tank: Tank) -> float:
    """Smallest mean water surface of any tenth of the height from tank zero to full; for rates of the level."""
    litres = volume_of(tank.shape)
    step = tank.full_m / 10
    tenths = [litres(step * (i + 1)) - litres(step * i) for i in range(10)]
    return min(tenth for tenth in tenths if tenth > 0) / _LITRES / step
