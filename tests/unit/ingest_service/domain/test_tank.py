"""Geometry of tanks against volumes worked by hand, and against itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.domain.places import Tank, TankShape
from ingest_service.domain.tank import (
    SHAPES,
    Contents,
    height_m,
    least_area_m2,
    shape_faults,
    tank_faults,
    volume_l,
)

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "tank.json").read_text())["volumes"]


def shape_of(row: dict[str, Any]) -> TankShape:
    return TankShape(row["kind"], row.get("dimensions", {}), tuple(map(tuple, row.get("points", ()))))


size = st.floats(0.1, 8.0)


@st.composite
def shapes(draw: st.DrawFn) -> TankShape:
    kind = draw(st.sampled_from(sorted(SHAPES)))
    if kind in {"jar", "table"}:
        rises = draw(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6))
        heights = [0.0]
        for rise in rises:
            heights.append(heights[-1] + rise)
        if kind == "jar":
            sizes = [draw(st.floats(0.0, 3.0)) for _ in heights]
            sizes[0] = draw(size)
        else:
            sizes = [0.0]
            for _ in rises:
                sizes.append(sizes[-1] + draw(st.floats(0.0, 900.0)))
            sizes[-1] += 1.0
        return TankShape(kind, {}, tuple(zip(heights, sizes, strict=True)))
    dimensions = {name: draw(size) for name in SHAPES[kind]}
    if kind == "dished":
        dimensions["dish_depth_m"] = draw(st.floats(0.02, 0.5)) * dimensions["diameter_m"]
    return TankShape(kind, dimensions)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["kind"])
def test_volumes_are_those_worked_by_hand(row: dict[str, Any]) -> None:
    shape = shape_of(row)
    assert shape_faults(shape) == []
    for height, litres in row["litres"]:
        assert round(volume_l(shape, height), 2) == litres


def test_every_kind_has_a_vector() -> None:
    assert {row["kind"] for row in VECTORS} == set(SHAPES)


@given(shapes(), st.floats(-1, 10), st.floats(0, 10))
def test_more_height_never_holds_less(shape: TankShape, height: float, rise: float) -> None:
    assert shape_faults(shape) == []
    higher_l = volume_l(shape, height + rise)
    assert 0 <= volume_l(shape, height) <= higher_l * (1 + 1e-12) + 1e-9


@given(shapes(), st.floats(0.001, 10))
def test_height_is_the_inverse_of_volume(shape: TankShape, height: float) -> None:
    litres = volume_l(shape, height)
    back_m = height_m(shape, litres)
    assert volume_l(shape, back_m) == pytest.approx(litres, rel=1e-9, abs=1e-9)
    assert back_m <= height + 1e-9


def test_height_of_nothing_is_the_bottom_and_of_too_much_the_top() -> None:
    shape = TankShape("horizontal_cylinder", {"diameter_m": 1.0, "length_m": 2.0})
    assert height_m(shape, 0) == 0
    assert height_m(shape, -5) == 0
    assert height_m(shape, 9000) == 1.0
    assert height_m(TankShape("table", {}, ((0.2, 10.0), (1.0, 900.0))), 5.0) == 0.2


def test_usable_water_begins_at_the_outlet() -> None:
    tank = Tank(
        TankShape("rectangular", {"length_m": 2.0, "width_m": 1.5}), outlet_m=0.2, full_m=1.2, sensor_height_m=1.6
    )
    contents = Contents.of(tank)
    assert contents.capacity_l == pytest.approx(3000)
    assert (contents.usable_l(0.1), contents.fill_pct(0.1)) == (0.0, 0.0)
    assert (contents.usable_l(0.2), contents.fill_pct(0.2)) == (0.0, 0.0)
    assert (contents.usable_l(0.5), contents.fill_pct(0.5)) == (900.0, 30.0)
    assert contents.fill_pct(1.2) == 100.0
    assert contents.fill_pct(1.25) == 105.0


def test_least_area_is_the_narrowest_tenth() -> None:
    straight = Tank(TankShape("rectangular", {"length_m": 2.0, "width_m": 1.5}), 0.1, 1.2, 1.6)
    assert least_area_m2(straight) == pytest.approx(3.0)
    lying = Tank(TankShape("horizontal_cylinder", {"diameter_m": 1.0, "length_m": 2.0}), 0.05, 1.0, 1.4)
    assert 0.5 < least_area_m2(lying) < 1.3


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (TankShape("cone", {}), "unknown kind 'cone'"),  # type: ignore[arg-type]
        (TankShape("cylinder", {}), "cylinder needs diameter_m"),
        (TankShape("cylinder", {"diameter_m": 1.0, "width_m": 2.0}), "cylinder has no width_m"),
        (TankShape("cylinder", {"diameter_m": -1.0}), "above 0"),
        (TankShape("cylinder", {"diameter_m": float("nan")}), "above 0"),
        (TankShape("cylinder", {"diameter_m": 1.0}, ((0, 1),)), "takes dimensions, not points"),
        (TankShape("dished", {"diameter_m": 1.0, "dish_depth_m": 0.6}), "half a ball"),
        (TankShape("jar", {}, ((0.0, 1.0),)), "at least two points"),
        (TankShape("jar", {}, ((0.1, 1.0), (0.5, 1.0))), "at height 0"),
        (TankShape("jar", {}, ((0.0, -1.0), (0.5, 1.0))), "must not be negative"),
        (TankShape("table", {}, ((0.0, 1.0), (0.0, 2.0))), "must rise"),
        (TankShape("table", {}, ((0.0, 3.0), (1.0, 2.0))), "must not fall"),
        (TankShape("table", {}, ((0.0, 3.0), (1.0, 3.0))), "must be more"),
        (TankShape("table", {}, ((0.0, 0.0), (1.0, float("inf")))), "must be numbers"),
    ],
)
def test_a_wrong_shape_is_told_in_words(shape: TankShape, words: str) -> None:
    assert any(words in fault for fault in shape_faults(shape))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"outlet_m": -0.1}, "outlet_m"),
        ({"full_m": 0.1}, "must be above outlet_m"),
        ({"sensor_height_m": 1.0}, "sensor_height_m"),
        ({"full_m": 2.5, "sensor_height_m": 3.0}, "above the top"),
        ({"max_inflow_lpm": 0.0}, "above 0"),
        ({"blind_zone_m": -0.1}, "blind_zone_m"),
        ({"shape": TankShape("cylinder", {})}, "needs diameter_m"),
    ],
)
def test_a_wrong_tank_is_told_in_words(changed: dict[str, Any], words: str) -> None:
    right = {
        "shape": TankShape("frustum", {"bottom_diameter_m": 1.0, "top_diameter_m": 1.2, "height_m": 2.0}),
        "outlet_m": 0.1,
        "full_m": 1.8,
        "sensor_height_m": 2.3,
    }
    assert tank_faults(Tank(**right)) == []
    assert any(words in fault for fault in tank_faults(Tank(**{**right, **changed})))
