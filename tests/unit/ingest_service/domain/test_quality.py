"""Flags of level readings: what they catch, what they let through, and that a repeat gets the same."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.domain.places import Tank, TankShape
from ingest_service.domain.quality import (
    ANCHOR_REACH,
    FAIL,
    GOOD,
    MISSING,
    REMEMBERED,
    SUSPECT,
    Recent,
    Stored,
    distance_bounds,
    flag_range,
    head_bounds,
)

MINUTE = 60_000
BOX = TankShape("rectangular", {"length_m": 2.0, "width_m": 1.5})
HIGH = Tank(BOX, outlet_m=0.1, full_m=1.5, sensor_height_m=2.0)  # the probe hangs well above the lip
LOW = Tank(BOX, outlet_m=0.1, full_m=1.5, sensor_height_m=1.7)  # a full tank is in the blind zone


def flags_of(
    tank: Tank,
    values: Sequence[float | None],
    *,
    step_ms: int = MINUTE,
    qc: list[int] | None = None,
    start: Sequence[Stored] = (),
) -> list[int]:
    recent = Recent(distance_bounds(tank, tank.sensor_height_m), start)
    first = recent.last_ms + step_ms if start else 0
    at_ms = [first + step_ms * i for i in range(len(values))]
    return recent.flag(at_ms, values, qc or [2] * len(values))


def test_steady_water_is_good() -> None:
    assert flags_of(HIGH, [1.0, 1.001, 0.999, 1.002] * 5) == [GOOD] * 20


@pytest.mark.parametrize(
    ("value", "flag"), [(0.25, GOOD), (0.249, FAIL), (2.05, GOOD), (2.051, FAIL), (0.0017, FAIL), (None, MISSING)]
)
def test_range_is_from_the_blind_zone_to_just_below_the_bottom(value: float | None, flag: int) -> None:
    assert flags_of(HIGH, [value]) == [flag]


def test_a_probe_does_not_see_beyond_its_reach() -> None:
    deep = Tank(BOX, outlet_m=0.1, full_m=5.0, sensor_height_m=6.0)
    assert flags_of(deep, [4.5]) == [GOOD]
    assert flags_of(deep, [4.501]) == [FAIL]


def test_the_worse_of_two_verdicts_counts() -> None:
    assert flags_of(HIGH, [1.0, 1.0, None, 1.0, 3.0], qc=[3, 4, 9, 2, 3]) == [SUSPECT, FAIL, MISSING, GOOD, FAIL]


def test_a_spike_is_suspect_and_does_not_last() -> None:
    assert flags_of(HIGH, [1.0] * 12 + [1.3] + [1.0] * 3) == [GOOD] * 12 + [SUSPECT] + [GOOD] * 3


def test_a_small_outlier_within_the_rate_is_found_by_its_neighbours() -> None:
    assert flags_of(HIGH, [1.0] * 12 + [1.016, 1.0]) == [GOOD] * 12 + [SUSPECT, GOOD]
    assert flags_of(HIGH, [1.0] * 12 + [1.014, 1.0]) == [GOOD] * 14


def test_the_third_agreeing_outlier_is_a_real_step_and_the_window_begins_anew() -> None:
    assert flags_of(HIGH, [1.0] * 12 + [1.3, 1.31, 1.295] + [1.3] * 5) == [GOOD] * 12 + [SUSPECT] * 2 + [GOOD] * 6


def test_outliers_that_disagree_stay_suspect() -> None:
    assert flags_of(HIGH, [1.0] * 12 + [1.3, 1.5, 1.1, 1.7, 1.0]) == [GOOD] * 12 + [SUSPECT] * 4 + [GOOD]


def test_water_that_begins_to_run_out_is_followed_after_two_readings() -> None:
    falling = [1.0 + 0.03 * i for i in range(1, 15)]
    assert flags_of(HIGH, [1.0] * 12 + falling) == [GOOD] * 12 + [SUSPECT] * 2 + [GOOD] * 12


def test_a_long_gap_lets_the_level_be_anywhere() -> None:
    start = [Stored(MINUTE * i, 1.0, GOOD) for i in range(10)]
    assert flags_of(HIGH, [1.8], step_ms=60 * MINUTE, start=start) == [SUSPECT]  # told from its neighbours
    assert flags_of(HIGH, [1.8] * 3, step_ms=60 * MINUTE, start=start) == [SUSPECT, SUSPECT, GOOD]


def test_a_full_tank_in_the_blind_zone_is_never_believed_to_be_empty() -> None:
    filling = [0.6 - 0.01 * i for i in range(36)]  # 0.25 m is the last that the probe can see
    for echo in (1.6, 1.0, 0.5, 10.298):
        flags = flags_of(LOW, [*filling, *[echo] * 3000, 0.26, 0.27])
        assert set(flags[36:-2]) <= {SUSPECT, FAIL}
        assert flags[-2:] == [GOOD, GOOD]


def test_erratic_echoes_of_the_blind_zone_are_not_believed_either() -> None:
    rng = random.Random(8)
    echoes: list[float | None] = []
    for _ in range(2000):
        base = rng.choice([0.5, 1.03, 1.5, 1.6, 10.298])
        echoes.append(None if rng.random() < 0.1 else base + rng.gauss(0, 0.005))
    flags = flags_of(LOW, [0.3] * 12 + echoes)
    assert GOOD not in flags[12:]


def test_where_the_blind_zone_cannot_be_reached_a_step_is_a_step() -> None:
    assert flags_of(HIGH, [0.55] * 12 + [1.6] * 4)[12:] == [SUSPECT, SUSPECT, GOOD, GOOD]


def test_a_tank_that_emptied_in_a_long_silence_is_believed() -> None:
    start = [Stored(MINUTE * i, 0.3, GOOD) for i in range(10)]
    assert flags_of(LOW, [1.6] * 3, step_ms=600 * MINUTE, start=start)[-1] == GOOD


def test_a_jump_upward_from_nearly_full_is_an_ordinary_outlier() -> None:
    assert flags_of(LOW, [0.45] * 12 + [0.3] * 3)[12:] == [SUSPECT, SUSPECT, GOOD]


def test_a_head_rises_where_a_distance_falls() -> None:
    bounds = head_bounds(Tank(BOX, 0.1, 1.5, 2.0, max_inflow_lpm=10.0, max_outflow_lpm=100.0), -1.0, 10.0)
    recent = Recent(bounds)
    assert recent.flag([0, MINUTE, 2 * MINUTE], [1.0, 0.95, 0.99], [2, 2, 2]) == [GOOD, GOOD, SUSPECT]


def test_only_the_range_is_known_of_other_quantities() -> None:
    assert flag_range(0.0, 60.0, [0.0, 60.0, -0.1, 61.0, None, 5.0, 5.0, 61.0], [2, 2, 2, 3, 9, 3, 4, 4]) == [
        1, 1, 4, 4, 9, 3, 4, 4,
    ]  # fmt: skip


reading = st.one_of(
    st.none(),
    st.sampled_from([0.26, 0.3, 0.35, 0.9, 1.0, 1.01, 1.02, 1.3, 1.31, 1.6]),
    st.floats(0.2, 2.2),
)


@given(
    st.sampled_from([HIGH, LOW]),
    st.lists(st.tuples(reading, st.sampled_from([2, 2, 2, 3, 4])), min_size=1, max_size=60),
    st.data(),
)
def test_a_repeat_after_any_loss_of_memory_gets_the_same_flags(
    tank: Tank, readings: list[tuple[float | None, int]], data: st.DataObject
) -> None:
    """However readings are cut into runs, and whatever is remembered or read back, flags are the same."""
    bounds = distance_bounds(tank, tank.sensor_height_m)
    at_ms = [MINUTE * i for i in range(len(readings))]
    value = [one for one, _ in readings]
    given_qc = [9 if one is None else qc for one, qc in readings]
    flags = Recent(bounds).flag(at_ms, value, given_qc)
    stored = [Stored(*one) for one in zip(at_ms, value, flags, strict=True)]
    cut = data.draw(st.integers(0, len(readings)))
    read_back = stored[:cut][-REMEMBERED:]
    if all(one.qc != GOOD for one in read_back):
        read_back = stored[:cut][-ANCHOR_REACH:]
    assert Recent(bounds, read_back).flag(at_ms[cut:], value[cut:], given_qc[cut:]) == flags[cut:]
    one_by_one = Recent(bounds)
    assert [one_by_one.flag([a], [v], [q])[0] for a, v, q in zip(at_ms, value, given_qc, strict=True)] == flags


def test_the_last_good_reading_is_forgotten_after_its_reach() -> None:
    recent = Recent(distance_bounds(LOW, LOW.sensor_height_m), [Stored(0, 0.3, GOOD)])
    many = ANCHOR_REACH - 1
    assert set(recent.flag([MINUTE * (i + 1) for i in range(many)], [1.6] * many, [2] * many)) == {SUSPECT}
    assert recent.flag([MINUTE * (many + 1)], [1.6], [2]) == [SUSPECT]
    assert recent.flag([MINUTE * (many + 2)], [1.6], [2]) == [GOOD]
