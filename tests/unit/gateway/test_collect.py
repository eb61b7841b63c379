from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.collect import newest_believed
from gateway.config import ChannelConfig, NodeConfig
from gateway.wire import Reading
from tests.unit.gateway.collect_support import START_MS, Rig, frame, rig


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path / "spool.db") as made:
        yield made


def test_a_frame_of_an_unknown_node_becomes_readings_in_their_units(node: Rig) -> None:
    node.hear(frame("D", 1, 5012, ds=1234, dq=5, fp=900, hd=1007, tw=1862, bv=12480, er=0, fl="00"))
    assert node.records() == [
        (
            START_MS + 1000,
            True,
            {
                "distance_m": Reading("distance_m", 1.234),
                "volume_total_l": Reading("volume_total_l", 2.0),
                "temperature_c": Reading("temperature_c", 18.62),
                "battery_v": Reading("battery_v", 12.48),
            },
        )
    ]


def test_tried_and_failed_is_none_and_not_fitted_is_absent(node: Rig) -> None:
    node.hear(frame("D", 1, 5012, ds=None, dq=0, tw=None, fp=None))
    assert node.last() == {name: Reading(name, None, 9) for name in ("distance_m", "temperature_c", "flow_lpm")}


@pytest.mark.parametrize(
    ("ds", "dq", "q"), [(250, 5, None), (249, 5, 4), (4500, 3, None), (4501, 5, 4), (1000, 2, 3), (100, 2, 4)]
)
def test_range_and_echoes_give_the_quality(node: Rig, ds: int, dq: int, q: int | None) -> None:
    node.hear(frame("D", 1, 5012, ds=ds, dq=dq))
    assert node.last()["distance_m"].q == q


def test_a_configured_channel_has_its_own_range_and_meaning(tmp_path: Path) -> None:
    head = ChannelConfig(quantity="head_m", full_scale_kpa=50, divider=2.0, low=0, high=2)
    configured = NodeConfig(interval_s=10, channels={"hd": head})
    with rig(tmp_path / "spool.db", T01=configured) as node:
        node.hear(frame("D", 1, 1000, hd=650))
        assert node.last()["head_m"] == Reading("head_m", pytest.approx(1.0237, abs=0.0002))
        node.hear(frame("D", 2, 2000, hd=2000))
        assert node.last()["head_m"].q == 4
        node.hear(frame("D", 3, 3000, hd=20))
        assert node.last()["head_m"] == Reading("head_m", None, 9)
        node.hear(frame("D", 4, 4000, hd=650, fl="08"))
        assert node.last()["head_m"].q == 3
        assert node.collector.nodes()["T01"].interval_s == 10


def test_gaps_repeats_and_restarts_are_counted(node: Rig) -> None:
    node.hear(frame("B", 0, 10, bt=1, iv=5000))
    node.hear(frame("D", 1, 5012, bv=1))
    node.hear(frame("D", 1, 5012, bv=1))
    node.hear(frame("D", 4, 20012, bv=1))
    node.collector.note_bad("T01", 2)
    counters = node.collector.nodes()["T01"]
    assert (counters.frames, counters.gaps, counters.bad, counters.reboots) == (3, 2, 2, 0)
    assert counters.interval_s == 5
    node.hear(frame("D", 2, 6000, bv=1))  # B and one D of the new start are missing
    counters = node.collector.nodes()["T01"]
    assert (counters.frames, counters.gaps, counters.reboots) == (4, 4, 1)
    assert len(node.records()) == 3


def test_an_identification_is_no_restart(node: Rig) -> None:
    node.hear(frame("B", 0, 10, bt=1))
    node.hear(frame("D", 1, 5000, fp=450))
    node.hear(frame("B", 2, 6000, bt=1, tg=77))
    node.hear(frame("D", 3, 10000, fp=900))
    assert node.collector.nodes()["T01"].reboots == 0
    assert node.total_l() == 2


def test_a_node_that_starts_again_and_again_is_no_repeat(node: Rig) -> None:
    for boots in (1, 2, 3):
        node.hear(frame("B", 0, 12, bt=boots))
    assert node.collector.nodes()["T01"].reboots == 2


def test_numbers_and_times_wrap_without_a_gap_or_a_restart(node: Rig) -> None:
    node.hear(frame("D", 65535, 2**32 - 500, fp=999_999_900))
    total_l = node.total_l()
    node.hear(frame("D", 0, 500, fp=125), after_ms=1000)
    counters = node.collector.nodes()["T01"]
    assert (counters.gaps, counters.reboots) == (0, 0)
    assert node.last()["flow_lpm"] == Reading("flow_lpm", pytest.approx(225 / 450 * 60), None)
    assert node.total_l() == pytest.approx(total_l + 0.5)


def test_a_restart_shown_only_by_an_impossible_number_is_seen(node: Rig) -> None:
    node.hear(frame("D", 9, 3000, fp=450))
    node.hear(frame("D", 1, 5000, fp=450))
    counters = node.collector.nodes()["T01"]
    assert (counters.gaps, counters.reboots, node.total_l()) == (1, 1, 2)


def test_a_restart_that_nothing_showed_is_made_up_for_when_the_node_tells(node: Rig) -> None:
    node.hear(frame("B", 0, 10, bt=1))
    node.hear(frame("D", 5, 60_000, fp=450))
    node.hear(frame("D", 9, 90_000, fp=900))  # in truth a new start whose count is all new
    assert node.total_l() == 2
    node.hear(frame("B", 10, 91_000, bt=2, tg=5))
    node.hear(frame("D", 11, 95_000, fp=900))
    assert (node.total_l(), node.collector.nodes()["T01"].reboots) == (3, 1)


def test_pulses_that_cannot_be_water_are_refused_and_counted(node: Rig) -> None:
    node.hear(frame("D", 1, 10_000, fp=450))
    node.hear(frame("D", 2, 20_000, fp=450 + 5403))
    assert node.last() == {
        "flow_lpm": Reading("flow_lpm", pytest.approx(72.04), 4),
        "volume_total_l": Reading("volume_total_l", 1.0, 3),
    }
    assert node.collector.nodes()["T01"].refused_pulses == 5403
    node.hear(frame("D", 3, 30_000, fp=450 + 5403 + 450))
    assert node.last()["volume_total_l"] == Reading("volume_total_l", 2.0)


def test_a_count_that_has_fallen_shows_a_restart(node: Rig) -> None:
    node.hear(frame("D", 1, 10_000, fp=45_000))
    total_l = node.total_l()
    node.hear(frame("D", 2, 20_000, fp=450))
    assert node.total_l() == total_l + 1


def test_counters_and_totals_survive_a_kill(node: Rig) -> None:
    node.hear(frame("D", 1, 10_000, fp=450))
    node.spool.commit()
    node.hear(frame("D", 2, 20_000, fp=900))
    node.kill()
    node.hear(frame("D", 3, 30_000, fp=1350))
    counters = node.collector.nodes()["T01"]
    assert (counters.frames, counters.gaps, node.total_l()) == (2, 1, 3)
    assert node.last()["flow_lpm"].value == pytest.approx(6)


def test_instants_of_a_node_grow_whatever_the_clock_does(node: Rig) -> None:
    for index, (move_ms, believed) in enumerate(
        [(1000, True), (0, True), (-500, True), (10_000, True), (-3_600_000, True), (1000, True)]
    ):
        node.believed = believed
        node.hear(frame("D", index, 1000 * (index + 1), bv=1), after_ms=move_ms)
    records = node.records()  # what is not believed waits in the spool
    assert [at_ms - START_MS for at_ms, _, _ in records] == [1000, 1001, 10_500, -3_589_500, -3_588_500]
    node.spool.restamp("boot1", node.offset_ms)
    assert len(node.records()) == 6


def test_an_unbelieved_clock_that_was_ahead_does_not_hold_the_true_one_back(node: Rig) -> None:
    node.believed = False
    node.hear(frame("D", 0, 1000, bv=1), after_ms=10**11)
    node.hear(frame("D", 1, 2000, bv=1), after_ms=-5)
    assert node.records() == []
    node.believed = True
    node.hear(frame("D", 2, 3000, bv=1), after_ms=-(10**11) + 5000)
    assert [at_ms for at_ms, _, _ in node.records()] == [START_MS + 4995]


def test_what_is_recorded_keeps_its_instant(node: Rig) -> None:
    node.collector.hear(frame("D", 0, 1000, bv=1), START_MS - 5000)
    assert [(at_ms, believed) for at_ms, believed, _ in node.records()] == [(START_MS - 5000, True)]


def test_the_newest_believed_instant_is_found_in_the_spools_state(node: Rig) -> None:
    assert newest_believed(node.spool.state()) is None
    node.hear(frame("D", 0, 1000, node="A", bv=1))
    node.hear(frame("D", 0, 1000, node="B", bv=1))
    node.believed = False
    node.hear(frame("D", 0, 1000, node="C", bv=1))
    newest = newest_believed(node.spool.state())
    assert newest == ("boot1", START_MS + 2000, 3000)


def test_a_state_that_cannot_be_read_starts_anew(node: Rig, caplog: pytest.LogCaptureFixture) -> None:
    node.hear(frame("D", 1, 10_000, fp=450))
    node.spool.commit()
    node.spool._state["T01"] = "[0]"
    node.collector.start()
    assert node.collector.nodes() == {}
    assert "cannot be read" in caplog.text


def test_a_measurement_in_two_frames_is_two_records_at_two_instants(node: Rig) -> None:
    node.hear(frame("D", 1, 5000, ds=1000, dq=5, fp=450))
    node.hear(frame("D", 2, 65_000, ds=1000, dq=5, fp=900))
    node.hear(frame("D", 3, 65_000, ds2=1100, dq2=5, fp2=10), after_ms=0)
    node.hear(frame("D", 4, 125_000, ds=1000, dq=5, fp=1350))
    instants = [at_ms for at_ms, _, _ in node.records()]
    assert instants == sorted(set(instants))
    assert instants[2] - instants[1] == 1
    assert all(believed for _, believed, _ in node.records())
    assert node.last()["flow_lpm"].value == 1
    counters = node.collector.nodes()["T01"]
    assert (counters.frames, counters.gaps, counters.reboots) == (4, 0, 0)


def test_two_channels_of_one_quantity_do_not_spoil_the_record(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two values of one series at one instant would make the server refuse the whole pack."""
    odd = NodeConfig(interval_s=10, channels={"aa": ChannelConfig(quantity="distance_m", scale=0.001)})
    with rig(tmp_path / "spool.db", T01=odd) as node:
        node.hear(frame("D", 1, 1000, ds=1000, aa=2000, tw=1800))
        assert node.last()["distance_m"].value == 1.0
        assert set(node.last()) == {"distance_m", "temperature_c"}
        node.spool.commit()
        (stored,) = node.spool.read_oldest(0, 100, ())
        assert stored.readings == 2
        node.hear(frame("D", 2, 2000, ds=1000, aa=2000, tw=1800))
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "node T01: ds and aa are both distance_m; name another quantity for one"
    ]
