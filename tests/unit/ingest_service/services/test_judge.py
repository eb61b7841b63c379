"""Judging on real stores: when an alert is raised, cleared, kept quiet, and that only readings matter for it."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest_service.domain.alert import RULES
from ingest_service.domain.places import Direction, Placement, Register, TankShape
from ingest_service.services.hearing import EAR, Heard
from ingest_service.services.ports import Heartbeat
from ingest_service.services.record import Arrived
from ingest_service.text.alerts import render_alert
from tests.unit.ingest_service.services.village import (
    HOUR,
    MINUTE,
    SHAPE,
    SINCE,
    T0,
    TANK,
    Village,
    distance_m,
    make_register,
    told,
)

LOW = [("tank_low", "t1", "raised")]


def test_nothing_is_wrong_with_a_tank_that_has_water(village: Village) -> None:
    assert village.live([70.0] * 60) == []
    assert village.records.open_alerts() == []


def test_low_water_is_told_after_half_an_hour_with_its_numbers(village: Village) -> None:
    assert village.live([50.0] * 40) == []
    village.live([50.0 - i for i in range(20)])
    assert village.live([30.0] * 30) == []
    (change,) = village.live([30.0])
    assert told([change]) == LOW
    assert change.severity == "warning"
    assert (change.reason, change.quiet) == ("below", False)
    assert change.at_ms == village.now_ms == change.decided_ms
    assert change.evidence["value"] == change.evidence["fill_pct"] == change.evidence["threshold"] == 30.0
    assert change.evidence["volume_l"] == 900.0
    assert change.evidence["window_to_ms"] - change.evidence["window_from_ms"] == 30 * MINUTE
    assert change.evidence["samples"] == 30
    assert village.live([30.0] * 60) == []


def test_low_water_tells_how_long_it_lasts(village: Village) -> None:
    falls = [round(29.7 + minute / 144, 2) for minute in reversed(range(7 * 24 * 60))]  # ten points a day
    village.now_ms += 7 * 24 * HOUR
    village.levels(list(falls))
    (change,) = village.judge()
    assert told([change]) == LOW
    assert change.evidence["days_left"] == 3.0
    assert "dùng được khoảng 3 ngày" in render_alert(change, village.register, "vi")


def test_nothing_is_said_of_days_when_the_use_is_not_known(village: Village) -> None:
    (change,) = village.live([30.0] * 31)
    assert "days_left" not in change.evidence
    assert "ngày" not in render_alert(change, village.register, "vi")


def test_just_above_the_threshold_is_not_low(village: Village) -> None:
    assert village.live([30.1] * 90) == []


def test_a_level_that_flaps_about_the_threshold_is_told_once(village: Village) -> None:
    village.live([29.0] * 40)
    assert village.live([31.0, 29.0] * 60) == []
    assert told(village.live([34.9] * 60)) == []
    assert told(village.live([35.0] * 31)) == [("tank_low", "t1", "cleared")]


def test_a_flapping_level_that_never_stays_low_is_not_told(village: Village) -> None:
    assert village.live(([29.6] * 29 + [30.6]) * 4) == []


def test_empty_is_critical_after_ten_minutes_and_over_when_water_stays(village: Village) -> None:
    changes = village.live([6.0] * 40 + [5.0] * 10)
    assert told(changes) == LOW
    (empty,) = village.live([5.0])
    assert told([empty]) == [("tank_empty", "t1", "raised")]
    assert empty.severity == "critical"
    village.live([5.0 + i * 0.5 for i in range(14)])
    assert village.live([11.9] * 40) == []
    village.live([12.0])
    assert told(village.live([12.0] * 30)) == [("tank_empty", "t1", "cleared")]


def test_a_hand_above_the_outlet_is_empty_too(tmp_path: Path) -> None:
    village = Village(tmp_path, make_register(tank=replace(TANK, full_m=0.9)))  # 5 cm are 7.14 %
    (low, empty) = sorted(village.live([4.9] * 32), key=lambda change: change.rule, reverse=True)
    assert (low.rule, empty.rule, empty.reason) == ("tank_low", "tank_empty", "near_outlet")
    assert empty.evidence["fill_pct"] == pytest.approx(7.0)
    village.close()


@pytest.mark.parametrize(("source", "severity"), [("rain", "info"), ("piped", "warning")])
def test_an_overflow_is_louder_where_somebody_can_shut_it(tmp_path: Path, source: str, severity: str) -> None:
    village = Village(tmp_path, make_register(tank=replace(TANK, source=source)))
    assert village.live([98.0] * 30) == []
    (change,) = village.live([98.0])
    assert (change.rule, change.severity) == ("overflow", severity)
    assert village.live([95.1] * 30) == []
    assert told(village.live([95.0] * 16)) == [("overflow", "t1", "cleared")]
    village.close()


def test_a_full_tank_into_which_nothing_flows_does_not_overflow(village: Village) -> None:
    def receive_flow(lpm: float) -> None:
        run = make_flow(village.now_ms - 60 * MINUTE, 61, lpm)
        assert village.receive(run) == []

    village.live([99.0] * 30)
    receive_flow(0.0)
    assert village.live([99.0] * 10) == []
    village.now_ms += MINUTE
    village.levels([99.0])
    receive_flow(3.0)
    assert told(village.judge()) == [("overflow", "t1", "raised")]


def make_flow(from_ms: int, count: int, lpm: float) -> Arrived:

    return Arrived("gw/T01", "flow_lpm", [from_ms + MINUTE * i for i in range(count)], [lpm] * count, [2] * count)


def test_the_dry_season_warns_earlier(tmp_path: Path) -> None:
    november_ms = int(datetime(2026, 10, 31, 17, 0, tzinfo=UTC).timestamp() * 1000)  # midnight in Viet Nam
    village = Village(tmp_path, now_ms=november_ms - 2 * HOUR)
    assert village.live([40.0] * 120) == []
    assert told(village.live([40.0] * 31)) == LOW
    assert village.records.open_alerts()[0].latest.evidence["threshold"] == 40.0
    village.close()


def test_an_asset_has_its_own_threshold_in_every_season(tmp_path: Path) -> None:
    village = Village(tmp_path, make_register(thresholds={"tank_low": {"raise_at": 25.0, "raise_for_min": 10.0}}))
    assert village.live([26.0] * 40) == []
    assert village.live([25.0] * 10) == []
    (change,) = village.live([25.0])
    assert change.evidence["threshold"] == 25.0
    village.close()


def test_too_few_readings_decide_nothing(village: Village) -> None:
    village.live([50.0] * 40)
    assert village.live([20.0, None] * 60) == []  # half of what is expected
    assert told(village.live([20.0, 20.0, 20.0, None] * 20)) == LOW


def test_doubtful_readings_do_not_count(village: Village) -> None:
    village.live([50.0] * 40)
    for _ in range(60):
        village.now_ms += MINUTE
        run = make_level(village.now_ms, 20.0, 3)
        village.receive(run)
        village.beat()
        assert village.judge() == []


def make_level(at_ms: int, fill: float, qc: int) -> Arrived:

    return Arrived("gw/T01", "distance_m", [at_ms], [distance_m(fill)], [qc])


@pytest.mark.parametrize("echo_m", [0.5, 1.05, 1.8, 10.298])
def test_a_full_tank_in_the_blind_zone_is_never_empty(tmp_path: Path, echo_m: float) -> None:
    village = Village(tmp_path, make_register(tank=replace(TANK, sensor_height_m=1.3)))

    rises = [0.5 - i * 0.01 for i in range(26)]
    values = [*rises, *[min(echo_m, 20.0)] * 600]
    at_ms = [T0 + MINUTE * i for i in range(len(values))]
    village.now_ms = at_ms[-1]
    changes = []
    for start in range(0, len(values), 20):
        part = slice(start, start + 20)
        village.now_ms = at_ms[part][-1]
        village.receive(Arrived("gw/T01", "distance_m", at_ms[part], values[part], [2] * len(at_ms[part])))
        village.beat()
        changes += village.judge()
    assert {change.rule for change in changes} <= {"range", "stuck"}
    village.close()


def test_a_probe_that_sees_nothing_believable_is_told(village: Village) -> None:
    village.live([70.0] * 40)
    changes = []
    for number in range(40):
        village.now_ms += MINUTE
        village.receive(make_level(village.now_ms, 70.0 if number % 2 else 175.0, 2))  # 0.05 m: in the blind zone
        village.beat()
        changes += village.judge()
    assert told(changes) == [("range", "t1", "raised")]
    assert changes[0].evidence["value"] == 0.5
    assert told(village.live([70.0] * 40)) == [("range", "t1", "cleared")]


def test_a_rule_that_need_not_wait_decides_at_once(tmp_path: Path) -> None:
    at_once = {"raise_for_min": 0.0, "clear_for_min": 0.0}
    rules = ("tank_low", "tank_empty", "overflow", "range", "stuck")
    village = Village(tmp_path, make_register(thresholds=dict.fromkeys(rules, at_once)))
    assert told(village.live([31.0, 30.0])) == LOW
    assert told(village.live([30.0 + minute for minute in range(25)])) == [("tank_low", "t1", "cleared")]
    village.now_ms += MINUTE
    village.receive(make_level(village.now_ms, 175.0, 2))
    assert told(village.judge()) == [("range", "t1", "raised")]
    village.close()


def test_a_probe_that_repeats_itself_half_a_day_is_stuck(village: Village) -> None:
    rng = random.Random(3)
    village.now_ms += 13 * HOUR
    village.levels([60.0 + rng.choice([0.0, 0.1]) for _ in range(60)] + [60.0] * 719)
    assert village.judge() == []
    changes = village.live([60.0] * 15)
    assert told(changes) == [("stuck", "t1", "raised")]
    assert changes[0].reason == "identical"
    assert told(village.live([60.0 + rng.choice([0.0, 0.1]) for _ in range(30)])) == [("stuck", "t1", "cleared")]


def test_a_level_that_stands_while_water_flows_is_stuck(village: Village) -> None:
    rng = random.Random(3)
    village.now_ms += 8 * HOUR
    village.levels([60.0 + rng.choice([0.0, 0.1]) for _ in range(8 * 60)])
    village.receive(make_flow(T0, 8 * 60, 0.1))  # 12 mm in six hours
    assert village.judge() == []
    village.receive(make_flow(T0, 8 * 60, 0.2))
    changes = village.live([60.0] * 12)
    assert told(changes) == [("stuck", "t1", "raised")]
    assert changes[0].reason == "still_though_flowing"
    assert told(village.live([60.0 - 0.2 * i for i in range(30)])) == [("stuck", "t1", "cleared")]


def place_meters(village: Village, **directions: Direction) -> None:
    """Put a flow meter at the tank for each name: its channel of the node, with its direction."""
    level = [one for one in village.register.placements if one.channel == "distance_m"]
    meters = [Placement("gw/T01", name, "t1", SINCE, direction=way) for name, way in directions.items()]
    village.place(replace(village.register, placements=(*level, *meters)))


def test_an_outlet_that_nobody_opens_does_not_hide_an_overflow(village: Village) -> None:
    place_meters(village, flow_lpm="out")
    village.live([99.0] * 30)
    village.receive(make_flow(village.now_ms - 60 * MINUTE, 62, 0.0))
    assert told(village.live([99.0])) == [("overflow", "t1", "raised")]


def test_what_is_drawn_may_be_made_good_unseen(village: Village) -> None:
    place_meters(village, flow_lpm="out")
    rng = random.Random(3)
    village.now_ms += 8 * HOUR
    village.levels([60.0 + rng.choice([0.0, 0.1]) for _ in range(8 * 60)])
    village.receive(make_flow(T0, 8 * 60, 5.0))
    assert village.live([60.0] * 12) == []


@pytest.mark.parametrize(("lpm_in", "lpm_out", "stuck"), [(5.0, 4.9, False), (5.0, 4.8, True), (4.8, 5.0, True)])
def test_a_level_may_stand_while_as_much_flows_in_as_out(
    village: Village, lpm_in: float, lpm_out: float, stuck: bool
) -> None:
    place_meters(village, flow_lpm="in", flow_lpm2="out")
    rng = random.Random(3)
    village.now_ms += 8 * HOUR
    village.levels([60.0 + rng.choice([0.0, 0.1]) for _ in range(8 * 60)])
    village.receive(make_flow(T0, 8 * 60, lpm_in), replace(make_flow(T0, 8 * 60, lpm_out), channel="flow_lpm2"))
    assert told(village.live([60.0] * 12)) == [("stuck", "t1", "raised")] * stuck


def test_a_brimful_tank_stands_still_by_right(village: Village) -> None:
    rng = random.Random(3)
    village.now_ms += 8 * HOUR
    village.levels([97.0 + rng.choice([0.0, 0.1]) for _ in range(8 * 60)])
    village.receive(make_flow(T0, 8 * 60, 5.0))
    assert village.judge() == []


def test_a_silent_node_is_told_once_its_gateway_has_seen_it_silent(village: Village) -> None:
    village.live([70.0] * 30)
    heard_ms = village.now_ms
    assert village.live([None] * 15) == []
    (change,) = village.live([None])
    assert told([change]) == [("offline", "node:gw/T01", "raised")]
    assert (change.severity, change.reason) == ("warning", "silent")
    assert change.at_ms == heard_ms + 15 * MINUTE
    assert change.evidence["last_heard_ms"] == heard_ms
    assert village.live([None] * 344) == []
    (worse,) = village.live([None])
    assert (worse.state, worse.severity, worse.at_ms) == ("changed", "critical", heard_ms + 6 * HOUR)
    assert worse.alert_id == change.alert_id
    assert village.live([70.0]) == []
    assert told(village.live([70.0])) == [("offline", "node:gw/T01", "cleared")]


def test_a_silent_gateway_is_told_alone(village: Village) -> None:
    village.live([6.0] * 29)  # low, and the tank is about to be called empty
    village.live([3.0] * 5)
    changes = village.live([None] * 800, beats=False, every=7)
    assert told(changes) == [("offline", "gateway:gw", "raised"), ("offline", "gateway:gw", "changed")]
    assert told(village.live([None])) == []
    assert told(village.live([None])) == [("offline", "gateway:gw", "cleared")]
    assert village.live([70.0] * 5) == []


def test_a_will_alone_says_nothing_before_its_time(village: Village) -> None:
    village.live([70.0] * 10)
    village.now_ms += MINUTE
    village.beat(online=False)
    changes = village.live([None] * 14, beats=False)
    assert changes == []
    (change,) = village.live([None], beats=False)
    assert told([change]) == [("offline", "gateway:gw", "raised")]
    assert change.evidence["last_heard_ms"] == T0 + 10 * MINUTE


def test_a_heartbeat_that_the_broker_kept_is_as_old_as_it_says(village: Village) -> None:

    village.now_ms += 2 * HOUR
    village.records.save_heartbeat(Heartbeat("gw", T0, village.now_ms, True, {"clock": "synced"}))
    assert told(village.judge()) == [("offline", "gateway:gw", "raised")]


def test_silence_before_the_server_listened_proves_nothing(village: Village) -> None:
    village.live([70.0] * 10)
    village.now_ms += 5 * HOUR
    since_ms = village.now_ms
    assert village.judge(listening_since_ms=since_ms) == []
    village.now_ms += 15 * MINUTE
    assert village.judge(listening_since_ms=since_ms) == []
    village.now_ms += MINUTE
    assert told(village.judge(listening_since_ms=since_ms)) == [("offline", "gateway:gw", "raised")]


def test_a_server_that_is_deaf_takes_nobody_for_silent(village: Village) -> None:
    village.live([70.0] * 10)
    village.records.append_changes([], {EAR: Heard(village.now_ms, T0).to_text()})  # then `listen` or the broker stops
    village.now_ms += 5 * HOUR
    assert village.judge() == []
    back_ms = village.now_ms
    for _ in range(15):
        village.now_ms += MINUTE
        village.records.append_changes([], {EAR: Heard(village.now_ms, back_ms).to_text()})
        assert village.judge() == []
    village.now_ms += MINUTE
    village.records.append_changes([], {EAR: Heard(village.now_ms, back_ms).to_text()})
    assert told(village.judge()) == [("offline", "gateway:gw", "raised")]


def test_a_gateway_that_tells_seldom_is_expected_seldom(village: Village) -> None:
    village.now_ms += HOUR
    said = {"clock": "synced", "interval_s": 1800}
    village.records.save_heartbeat(Heartbeat("gw", village.now_ms, village.now_ms, True, said))
    village.now_ms += 90 * MINUTE - 1
    assert village.judge() == []
    village.now_ms += 2
    assert told(village.judge()) == [("offline", "gateway:gw", "raised")]


def test_what_its_gateway_hears_of_a_node_counts(village: Village) -> None:
    village.live([70.0] * 10)
    for _ in range(40):
        village.now_ms += MINUTE
        village.beat(nodes={"T01": {"last_at": village.now_ms / 1000, "interval_s": 60}})
        assert village.judge() == []


def test_a_slow_node_is_given_its_time(village: Village) -> None:
    village.live([70.0] * 10)
    told_by_gateway = {"T01": {"last_at": village.now_ms / 1000, "interval_s": 1200}}
    for _ in range(60):
        village.now_ms += MINUTE
        village.beat(nodes=told_by_gateway)
        assert village.judge() == []
    village.now_ms += MINUTE
    village.beat(nodes=told_by_gateway)
    assert told(village.judge()) == [("offline", "node:gw/T01", "raised")]


@pytest.mark.parametrize(
    "nodes", [None, [], {"T01": 5}, {"T01": {"last_at": "x", "interval_s": True}}, {"T01": {"last_at": 1e300}}]
)
def test_a_strange_heartbeat_harms_nothing(village: Village, nodes: object) -> None:
    village.live([70.0] * 3)
    village.beat(nodes=nodes)
    assert village.judge() == []


def test_devices_that_were_never_heard_are_not_missed(village: Village) -> None:
    village.now_ms += 100 * HOUR
    assert village.judge() == []


def test_what_is_open_about_removed_assets_and_devices_is_closed_quietly(tmp_path: Path) -> None:
    village = Village(tmp_path, make_register(tanks=2))
    village.live([70.0] * 5)
    village.levels([20.0] * 60, node="T02")
    village.live([None] * 20)
    assert {alert.latest.asset for alert in village.records.open_alerts()} == {"t2", "node:gw/T01", "node:gw/T02"}
    shown = village.records.undelivered("console")
    village.place(make_register(tanks=1))
    village.now_ms += MINUTE
    village.beat()
    closed = village.judge()
    assert {(one.asset, one.state, one.reason, one.quiet, one.at_ms) for one in closed} == {
        (asset, "cleared", "removed", True, village.now_ms) for asset in ("t2", "node:gw/T02")
    }
    assert village.judge() == []
    assert village.records.undelivered("console") == shown
    assert [alert.latest.asset for alert in village.records.open_alerts()] == ["node:gw/T01"]
    village.place(Register())
    village.now_ms += 10 * HOUR
    assert told(village.judge()) == [("offline", "node:gw/T01", "cleared")]
    village.place(make_register(tanks=2))
    assert ("offline", "gateway:gw", "raised") in told(village.judge())
    village.close()


def test_late_readings_wake_nobody(village: Village) -> None:
    village.levels([50.0] * 40 + [20.0] * 60)
    village.now_ms += 3 * HOUR
    (change,) = [one for one in village.judge() if one.rule != "offline"]
    assert (change.rule, change.quiet) == ("tank_low", True)
    assert change not in [one for _, one in village.records.undelivered("console")]


def test_what_late_readings_told_quietly_is_told_aloud_if_it_is_still_so(village: Village) -> None:
    village.levels([50.0] * 40 + [20.0] * 60)
    village.now_ms += 3 * HOUR
    (quiet,) = [one for one in village.judge() if one.rule == "tank_low"]
    (aloud,) = [one for one in village.live([20.0] * 40) if one.rule == "tank_low"]
    assert (aloud.state, aloud.quiet, aloud.alert_id) == ("changed", False, quiet.alert_id)
    (over,) = [one for one in village.live([60.0] * 40) if one.rule == "tank_low"]
    assert (over.state, over.quiet) == ("cleared", False)


def test_an_old_backlog_corrects_history_only(village: Village) -> None:
    village.live([70.0] * 30)
    village.now_ms += 5 * HOUR
    village.live([70.0] * 30)
    village.levels([2.0] * 120, to_ms=T0 + 4 * HOUR)
    assert village.live([70.0] * 30) == []


def test_a_backlog_younger_than_the_wait_completes_the_proof(village: Village) -> None:
    village.live([70.0] * 30)
    village.now_ms += 40 * MINUTE
    assert village.live([20.0] * 3) == []
    village.levels([20.0] * 40, to_ms=village.now_ms - 3 * MINUTE)
    assert told(village.live([20.0])) == [("tank_low", "t1", "raised")]


def story(seed: int) -> list[float | None]:
    """Two days of a tank in which everything happens."""
    rng = random.Random(seed)
    fill = 60.0
    fills: list[float | None] = []
    for minute in range(2880):
        fill += {0: -0.35, 1: 0.0, 2: 0.4, 3: -0.2}[(minute // 300) % 4] + rng.gauss(0, 0.1)
        fill = min(max(fill, 0.0), 99.0)
        fills.append(None if rng.random() < 0.03 else round(fill, 1))
    return fills


def play(
    folder: Path, fills: list[float | None], chunks: list[int], *, restart: bool = False
) -> list[tuple[object, ...]]:
    """Let the story pass, judged after each chunk of minutes; changes as they stand in the records."""
    folder.mkdir()
    village = Village(folder)
    done = 0
    for chunk in chunks:
        part = fills[done : done + chunk]
        done += len(part)
        village.now_ms += MINUTE * chunk
        village.levels(part)
        village.beat()
        village.judge()
        if restart:
            village.judge()
            village.close()
            village = Village(folder, now_ms=village.now_ms)
    rows = village.records.changes(from_ms=0)
    village.close()
    assert len({row.alert_id for row in rows if row.state == "raised"}) == sum(row.state == "raised" for row in rows)
    return sorted((row.at_ms, row.alert_id, row.state, row.reason, tuple(sorted(row.evidence.items()))) for row in rows)


def test_how_often_it_is_judged_and_restarted_changes_nothing(tmp_path: Path) -> None:
    fills = story(5)[:1440]
    by_minute = play(tmp_path / "minute", fills, [1] * 1440)
    assert {str(row[1]).split("@")[0] for row in by_minute} >= {"tank_low", "tank_empty"}
    assert play(tmp_path / "ten", fills, [10] * 144, restart=True) == by_minute
    assert play(tmp_path / "hour", fills, [45] * 32) == by_minute


def test_a_table_of_thresholds_with_an_unknown_number_is_refused() -> None:

    with pytest.raises(ValueError, match="tank_low has no number rase_at"):
        RULES["tank_low"].with_overrides({"rase_at": 3.0})


def test_shapes_do_not_matter_to_the_rules(tmp_path: Path) -> None:
    jar = TankShape("jar", {}, ((0.0, 0.6), (0.4, 1.1), (0.9, 1.2), (1.3, 0.9)))
    village = Village(tmp_path, make_register(tank=replace(TANK, shape=jar)))
    assert SHAPE.kind != jar.kind
    assert told(village.live([12.0] * 40)) == LOW
    village.close()
