"""Recording: where a reading belongs, what is refused, what follows from it, and that a repeat changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_service.domain.places import Asset, Placement
from ingest_service.services.ports import Points, SeriesKey
from ingest_service.services.record import EARLIEST_MS, Arrived, Recorder
from ingest_service.storage.embedded import EmbeddedObservations
from tests.unit.ingest_service.services.village import HOUR, MINUTE, SINCE, T0, TANK, Village, make_register


def run_of(value: list[float | None], *, channel: str = "distance_m", at_ms: int = T0, node: str = "gw/T01") -> Arrived:
    qc = [9 if one is None else 2 for one in value]
    return Arrived(node, channel, [at_ms + MINUTE * i for i in range(len(value))], value, qc)


def read_all(village: Village, quantity: str, asset: str = "t1") -> tuple[list[float | None], list[int]]:
    points = village.observations.read(SeriesKey(asset, quantity), 0, 1 << 50)
    return points.value, points.qc


def test_a_distance_becomes_level_litres_and_percent(village: Village) -> None:
    village.now_ms += HOUR
    assert village.receive(run_of([1.5, None, 1.4987, 2.5])) == []
    assert read_all(village, "distance_m") == ([1.5, None, 1.4987, 2.5], [1, 9, 1, 4])
    assert read_all(village, "level_m") == ([0.5, None, 0.5013, -0.5], [1, 9, 1, 4])
    assert read_all(village, "volume_l") == ([900.0, None, 903.9, 0.0], [1, 9, 1, 4])
    assert read_all(village, "fill_pct") == ([30.0, None, 30.13, 0.0], [1, 9, 1, 4])


def test_other_quantities_are_checked_by_range_only(village: Village) -> None:
    assert village.receive(run_of([3.0], channel="flow_lpm"), run_of([501.0], channel="flow_lpm", at_ms=T0 + 1)) == []
    assert read_all(village, "flow_lpm") == ([3.0, 501.0], [1, 4])


def test_a_node_keeps_its_own_battery(village: Village) -> None:
    assert village.receive(run_of([12.4], channel="battery_v")) == []
    assert read_all(village, "battery_v", "node:gw/T01") == ([12.4], [1])


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (run_of([1.0], node="gw/X9"), "unknown_node"),
        (run_of([1.0], channel="beauty"), "unknown_channel"),
        (run_of([1.0], channel="level_m"), "unknown_channel"),
        (run_of([1.0], channel="distance_m1"), "unknown_channel"),
        (run_of([1.0], channel="distance_m2"), "no_placement"),
        (run_of([1.0], at_ms=EARLIEST_MS - 1), "absurd_time"),
        (run_of([1.0], at_ms=T0 + 5 * MINUTE + 1), "absurd_time"),
        (run_of([1.0], at_ms=EARLIEST_MS), "no_placement"),
    ],
)
def test_what_belongs_nowhere_is_refused_by_name(village: Village, run: Arrived, reason: str) -> None:
    good = run_of([1.0])
    assert village.receive(run, good) == [reason]
    assert read_all(village, "distance_m") == ([1.0], [1])


def test_the_good_part_of_a_run_is_recorded(village: Village) -> None:
    assert village.receive(run_of([1.0] * 8)) == ["absurd_time"]
    assert len(read_all(village, "distance_m")[0]) == 6


def test_a_run_is_split_where_its_probe_was_moved(tmp_path: Path) -> None:
    moved_at = datetime.fromtimestamp((T0 + 3 * MINUTE) / 1000, UTC)
    back_at = datetime.fromtimestamp((T0 + 6 * MINUTE) / 1000, UTC)
    register = make_register(2)
    placements = (
        Placement("gw/T01", "distance_m", "t2", back_at, sensor_height_m=2.1),
        Placement("gw/T01", "distance_m", "t1", SINCE, moved_at),
    )
    village = Village(tmp_path, replace(register, placements=placements), now_ms=T0 + HOUR)
    assert village.receive(run_of([1.5] * 9)) == ["no_placement"]
    assert read_all(village, "level_m") == ([0.5] * 3, [1] * 3)
    assert read_all(village, "level_m", "t2") == ([0.6] * 3, [1] * 3)
    village.close()


def test_a_head_tells_the_level_where_no_distance_does(tmp_path: Path) -> None:
    register = make_register(1)
    placements = (Placement("gw/T01", "head_m", "t1", SINCE, sensor_height_m=0.1),)
    village = Village(tmp_path, replace(register, placements=placements))
    assert village.receive(run_of([0.4], channel="head_m")) == []
    assert read_all(village, "level_m") == ([0.5], [1])
    village.close()


def test_a_line_has_no_level(tmp_path: Path) -> None:
    register = make_register(1)
    line = Asset("l1", "lung-sau", "line", "Tuyến 1")
    placed = (*register.placements, Placement("gw/T01", "pressure_bar", "l1", SINCE))
    village = Village(tmp_path, replace(register, assets={**register.assets, "l1": line}, placements=placed))
    assert village.receive(run_of([2.0, 26.0], channel="pressure_bar")) == []
    assert read_all(village, "pressure_bar", "l1") == ([2.0, 26.0], [1, 4])
    assert SeriesKey("l1", "level_m") not in village.observations.series()
    village.close()


def test_runs_of_one_series_in_one_call_become_one_column(village: Village) -> None:
    runs = [run_of([1.0], at_ms=T0 + MINUTE * i) for i in range(3)]
    points = village.recorder.record(runs, T0 + HOUR).points
    assert [one.key.quantity for one in points] == ["distance_m", "level_m", "volume_l", "fill_pct"]
    assert all(len(one.at_ms) == 3 for one in points)
    assert [run.at_ms for run in runs] == [[T0], [T0 + MINUTE], [T0 + 2 * MINUTE]]


def snapshot(observations: EmbeddedObservations) -> dict[SeriesKey, Points]:
    return {key: observations.read(key, 0, 1 << 50) for key in observations.series()}


levels = st.one_of(st.none(), st.sampled_from([0.9, 1.0, 1.01, 1.02, 1.3, 1.31, 1.6]), st.floats(0.2, 2.2))


@settings(max_examples=40, deadline=None)
@given(st.lists(levels, min_size=2, max_size=60), st.data())
def test_a_repeat_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, value: list[float | None], data: st.DataObject
) -> None:
    """Packs repeated in any order after any restart leave the store as it was."""
    observations = EmbeddedObservations(tmp_path_factory.mktemp("store") / "history.sqlite3")
    register = make_register(1, tank=replace(TANK, sensor_height_m=1.6))
    cuts = sorted({0, len(value), *data.draw(st.lists(st.integers(0, len(value)), max_size=5))})
    packs = [run_of(value[start:end], at_ms=T0 + MINUTE * start) for start, end in pairwise(cuts)]
    recorder = Recorder(observations, register)
    for pack in packs:
        observations.write(recorder.record([pack], T0 + 100 * HOUR).points)
    before = snapshot(observations)
    for pack in data.draw(st.lists(st.sampled_from(packs), max_size=6)):
        if data.draw(st.booleans()):
            recorder = Recorder(observations, register)
        observations.write(recorder.record([pack], T0 + 100 * HOUR).points)
    assert snapshot(observations) == before
    observations.close()


def test_a_backlog_in_one_call_with_live_packs_is_flagged_in_order_of_time(village: Village) -> None:
    """The second backlog pack is told from the first one, though that is not yet stored."""
    village.now_ms = T0 + HOUR
    village.receive(run_of([1.0], at_ms=T0 + 50 * MINUTE))
    backlog = [run_of([1.3] * 12), run_of([1.0, 1.3], at_ms=T0 + 12 * MINUTE)]
    village.receive(backlog[0], run_of([1.0], at_ms=T0 + 51 * MINUTE), backlog[1])
    assert read_all(village, "distance_m")[1] == [1] * 12 + [3, 1] + [1, 3]


def test_after_a_failed_write_nothing_is_remembered(village: Village) -> None:
    village.recorder.record([run_of([1.0] * 5)], T0 + HOUR)
    village.recorder.forget()
    village.now_ms = T0 + HOUR
    village.receive(run_of([1.5], at_ms=T0 + 5 * MINUTE))
    assert read_all(village, "distance_m") == ([1.5], [1])
