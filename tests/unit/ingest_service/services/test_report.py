"""What pages are told: states, the last good value, silence, days left."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest_service.domain.places import Node
from ingest_service.services.ports import Bucket
from ingest_service.services.report import (
    HOUR_MS,
    AssetState,
    Week,
    estimate_days_left,
    find_nodes,
    find_stale_after_ms,
    rank_condition,
    read_states,
    read_week,
)
from tests.support.water_village import MINUTE_MS, NOW_MS, Village, make_register, make_village, open_village


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with contextlib.closing(make_village(tmp_path_factory.mktemp("village"))) as village:
        yield village


def read(village: Village, now_ms: int = NOW_MS) -> dict[str, AssetState]:
    register, alerts = village.records.register(), village.records.open_alerts()
    states = read_states(register, register.assets.values(), village.observations, alerts, now_ms)
    return {state.asset.key: state for state in states}


def test_one_word_for_each(village: Village) -> None:
    assert {key: state.condition for key, state in read(village).items()} == {
        "be-thap": "tank_low", "be-tran": "overflow", "be-tot": "ok", "be-het": "tank_empty", "be-cu": "offline",
        "be-ngo": "range", "be-moi": "no_data", "loc-1": "ok", "tuyen-1": "ok",
    }  # fmt: skip


def test_worst_first(village: Village) -> None:
    ranked = [state.asset.key for state in sorted(read(village).values(), key=rank_condition)]
    assert ranked[0] == "be-het"
    assert ranked.index("be-tran") < ranked.index("be-cu") < ranked.index("be-moi") < ranked.index("be-tot")


def test_the_last_good_value_is_kept_before_doubted_ones(village: Village) -> None:
    state = read(village)["be-ngo"]
    assert state.doubted
    assert state.good("fill_pct") == pytest.approx(71.6, abs=0.5)
    assert state.good_ms() == NOW_MS - 70 * MINUTE_MS
    assert state.heard_ms == NOW_MS - 10 * MINUTE_MS
    assert not state.silent


def test_a_failed_reading_is_heard_but_shows_nothing(tmp_path: Path) -> None:
    with contextlib.closing(open_village(tmp_path)) as village:
        village.records.replace_register(make_register())
        village.write("be-tot", "level_m", [NOW_MS - MINUTE_MS], [None], qc=9)
        state = read(village)["be-tot"]
        assert (state.good("level_m"), state.good_ms(), state.silent, state.doubted) == (None, None, False, True)


@pytest.mark.parametrize(("ago_ms", "silent"), [(15 * MINUTE_MS, False), (15 * MINUTE_MS + 1, True)])
def test_silence_begins_just_after_the_limit(village: Village, ago_ms: int, silent: bool) -> None:
    heard_ms = read(village)["be-tot"].heard_ms
    assert heard_ms is not None
    assert read(village, heard_ms + ago_ms)["be-tot"].silent is silent


@pytest.mark.parametrize(("intervals_s", "limit_min"), [((), 15), ((60,), 15), ((60, 600), 30), ((300,), 15)])
def test_slow_nodes_may_be_silent_longer(intervals_s: Sequence[float], limit_min: int) -> None:
    nodes = [Node("g", f"T{number}", "p", interval_s) for number, interval_s in enumerate(intervals_s)]
    assert find_stale_after_ms(nodes) == limit_min * MINUTE_MS


def test_a_node_measures_where_it_is_placed_at_that_time(village: Village) -> None:
    register = village.records.register()
    assert [node.id for node in find_nodes(register, "be-tran", NOW_MS)] == ["T02"]
    assert find_nodes(register, "be-tran", 0) == []


def test_alerts_of_the_device_behind_it_are_shown_too(village: Village) -> None:
    state = read(village)["be-cu"]
    assert state.alerts == ()
    assert [alert.latest.rule for alert in state.device_alerts] == ["offline"]


class Counting:
    """Observations that count how often they are read."""

    def __init__(self, village: Village) -> None:
        self.reads = 0
        self._inner = village.observations

    def __getattr__(self, name: str) -> Any:
        self.reads += 1
        return getattr(self._inner, name)


def test_all_places_cost_one_read_and_one_for_each_doubted_series(village: Village) -> None:
    counting: Any = Counting(village)
    register = village.records.register()
    read_states(register, register.assets.values(), counting, (), NOW_MS)
    assert counting.reads == 1 + 3


def test_a_week_is_168_whole_hours_to_the_end_of_this_one(village: Village) -> None:
    week = read_week(village.observations, "be-thap", "fill_pct", NOW_MS)
    assert len(week.buckets) == 168
    assert week.to_ms == NOW_MS + 30 * MINUTE_MS
    assert week.buckets[-1].samples == 3


def make_week(fills: Sequence[float | None]) -> Week:
    buckets = [
        Bucket(number * HOUR_MS, fill, fill, fill, fill, 0 if fill is None else 60) for number, fill in enumerate(fills)
    ]
    return Week("fill_pct", 0, len(fills) * HOUR_MS, buckets)


def falling(points_a_day: float, hours: int = 168) -> list[float | None]:
    return [90 - number * points_a_day / 24 for number in range(hours)]


def test_days_left_at_even_use() -> None:
    assert estimate_days_left(make_week(falling(10)), 30.0) == pytest.approx(3.0)


def test_supply_lengthens_but_never_makes_endless() -> None:
    up_and_down: list[float | None] = [50 + (5.0 if number % 2 else 0.0) for number in range(168)]
    use_a_day = 12 * 5.0
    assert estimate_days_left(make_week(up_and_down), 60.0) == pytest.approx(60 / (0.05 * use_a_day))


def test_days_left_is_not_guessed() -> None:
    flat: list[float | None] = [50.0] * 168
    short: list[float | None] = [None] * 120 + falling(10, 48)
    assert estimate_days_left(make_week(flat), 50.0) is None
    assert estimate_days_left(make_week(short), 50.0) is None
    assert estimate_days_left(make_week(falling(1)), 80.0) is None
    assert estimate_days_left(make_week(falling(10)), None) is None


def test_a_few_missing_hours_do_no_harm() -> None:
    fills = falling(10)
    for number in (5, 40, 41, 100):
        fills[number] = None
    assert estimate_days_left(make_week(fills), 30.0) == pytest.approx(3.0, rel=0.1)
