"""What every record store must do; one suite, run on each of them."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest_service.domain.places import (
    Asset,
    Contact,
    Node,
    Place,
    Placement,
    Register,
    Tank,
    TankShape,
)
from ingest_service.services.ports import AlertChange, AlertState, Heartbeat, OpenAlert, Records, Reject, Severity
from ingest_service.storage import migrate
from ingest_service.storage.records import SqlRecords

ROOM = 100_000
Open = Callable[[], Records]


@pytest.fixture(params=["sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    url = f"sqlite:///{tmp_path}/data/records.sqlite3"
    opened: list[Records] = []

    def open_records() -> Records:
        migrate.upgrade(url)
        opened.append(SqlRecords(url, rejects_max_bytes=ROOM))
        return opened[-1]

    yield open_records
    for records in opened:
        records.close()


@pytest.fixture
def records(reopen: Open) -> Records:
    return reopen()


SPRING = datetime(2026, 3, 1, tzinfo=UTC)
JAR = Tank(TankShape("jar", {}, ((0.0, 0.6), (0.4, 1.1), (0.9, 1.2))), 0.1, 0.85, 1.2, "rain", 30.0, 20.0, 0.2)
VILLAGE = Register(
    places={"ban": Place("ban", "Bản", "Xã", 120, 22.6, 106.2, (Contact("A", "0912 345 678", "group"),))},
    assets={
        "be": Asset("be", "ban", "tank", "Bể", JAR, {"tank_low": {"raise_at": 25.0}}),
        "loc": Asset("loc", "ban", "filter", "Lọc"),
    },
    nodes={"g/T01": Node("g", "T01", "ban", 30.0)},
    placements=(
        Placement("g/T01", "head_m", "loc", SPRING),
        Placement("g/T01", "distance_m", "be", SPRING, datetime(2026, 4, 1, 6, tzinfo=UTC), 1.3),
        Placement("g/T01", "flow_lpm", "be", SPRING, direction="out"),
    ),
)


def test_the_register_comes_back_as_it_was_put(records: Records, reopen: Open) -> None:
    assert records.register() == Register()
    assert records.register_version() == 0
    assert records.replace_register(VILLAGE) == 1
    kept = reopen().register()
    assert kept.version == 1
    assert (kept.places, kept.assets, kept.nodes, kept.placements) == (
        VILLAGE.places,
        VILLAGE.assets,
        VILLAGE.nodes,
        VILLAGE.placements,
    )
    assert records.replace_register(Register()) == 2
    assert reopen().register() == Register(version=2)


def test_rejects_are_kept_as_they_came(records: Records, reopen: Open) -> None:
    odd = Reject(5, "monuoc/v1/\0\ud800/data", b"\x00\xff[", "not_json", "byte 0: \ud83d")
    records.keep_rejects([Reject(4, "t", b"", "empty"), odd, Reject(6, "t", b"x", "not_json")])
    found = reopen().rejects()
    assert [reject.received_ms for _, reject in found] == [6, 5, 4]
    assert found[1][1].payload == odd.payload
    assert "ud800" in found[1][1].topic
    assert reopen().rejects(limit=1) == found[:1]
    assert records.count_rejects() == {"not_json": 2, "empty": 1}
    records.drop_rejects([found[0][0], found[2][0], 10**6])
    assert records.rejects() == [found[1]]
    records.keep_rejects([])
    records.drop_rejects([])


def test_rejects_take_no_more_than_their_room_and_say_what_was_dropped(records: Records, reopen: Open) -> None:
    old = [Reject(n, "t", bytes(9000), "not_json") for n in range(8)]
    records.keep_rejects(old)
    assert records.count_dropped_rejects() == {}
    records.keep_rejects([Reject(100 + n, "t", bytes(9000), "unknown_node", "N") for n in range(5)])
    assert [reject.received_ms for _, reject in reopen().rejects()] == [104, 103, 102, 101, 100, 7, 6, 5, 4, 3]
    assert reopen().count_rejects() == {"not_json": 5, "unknown_node": 5}
    assert reopen().count_dropped_rejects() == {"not_json": 3}
    newest = reopen().rejects()[0][0]
    records.drop_rejects([newest, newest])
    records.keep_rejects([Reject(200, "t", bytes(9000), "not_json")])
    assert records.count_rejects() == {"not_json": 6, "unknown_node": 4}
    assert records.count_dropped_rejects() == {"not_json": 3}


def test_a_batch_of_rejects_beyond_all_room_leaves_its_newest(records: Records) -> None:
    records.keep_rejects([Reject(n, "t", bytes(40_000), "huge") for n in range(700)])
    assert [reject.received_ms for _, reject in records.rejects()] == [699, 698]
    assert (records.count_rejects(), records.count_dropped_rejects()) == ({"huge": 2}, {"huge": 698})
    records.keep_rejects([Reject(1000, "t", bytes(ROOM), "huge")])
    assert (records.count_rejects(), records.count_dropped_rejects()) == ({}, {"huge": 701})
    records.keep_rejects([Reject(1001, "t", b"", "small")])
    assert records.count_rejects() == {"small": 1}


def change(
    alert_id: str, state: AlertState, at_ms: int, severity: Severity = "warning", *, quiet: bool = False
) -> AlertChange:
    evidence: dict[str, float | int | str | None] = {"value": 12.5, "unit": "%", "window_from_ms": 1, "last": None}
    return AlertChange(
        alert_id, "tank_low", "be", state, severity, at_ms, at_ms + 5, "below_threshold", evidence, quiet
    )


def test_an_alert_is_open_from_raise_to_clear(records: Records, reopen: Open) -> None:
    first, worse = change("a", "raised", 100), change("a", "changed", 200, "critical")
    other = change("b", "raised", 50)
    records.append_changes([first, other], {"tank_low@be": "open", "x@y": "1"})
    assert records.open_alerts() == [OpenAlert(50, other), OpenAlert(100, first)]
    records.append_changes([worse], {"tank_low@be": "critical"})
    assert reopen().open_alerts() == [OpenAlert(100, worse), OpenAlert(50, other)]
    assert reopen().rule_states() == {"tank_low@be": "critical", "x@y": "1"}
    records.append_changes([change("a", "cleared", 300)], {})
    assert records.open_alerts() == [OpenAlert(50, other)]
    assert [row.at_ms for row in records.changes()] == [300, 200, 100, 50]


def test_changes_are_found_by_asset_and_time(records: Records) -> None:
    records.append_changes([change("a", "raised", at_ms) for at_ms in (100, 200, 300)], {})
    assert [row.at_ms for row in records.changes(from_ms=100, to_ms=300)] == [200, 100]
    assert [row.at_ms for row in records.changes(limit=1)] == [300]
    assert len(records.changes(asset="be")) == 3
    assert records.changes(asset="loc") == []


def test_each_channel_has_its_own_mark_and_quiet_changes_wake_nobody(records: Records, reopen: Open) -> None:
    loud, quiet, late = change("a", "raised", 1), change("b", "raised", 2, quiet=True), change("c", "raised", 3)
    records.append_changes([loud, quiet, late], {})
    waiting = records.undelivered("console")
    assert [row for _, row in waiting] == [loud, late]
    records.mark_delivered("console", waiting[0][0])
    assert [row for _, row in reopen().undelivered("console")] == [late]
    assert [row for _, row in reopen().undelivered("sms", limit=1)] == [loud]
    records.mark_delivered("console", waiting[1][0])
    records.mark_delivered("console", waiting[0][0])
    assert records.undelivered("console") == []


def test_the_newest_heartbeat_of_each_gateway_is_kept(records: Records, reopen: Open) -> None:
    new = Heartbeat("g", 100, 205, True, {"v": 1, "nodes": {"T01": {"last_at": 99.5}}, "cpu_c": None})
    records.save_heartbeat(Heartbeat("g", 90, 200, False))
    records.save_heartbeat(new)
    records.save_heartbeat(Heartbeat("g", 500, 204, False))
    records.save_heartbeat(Heartbeat("h", 1, 1, True))
    assert reopen().heartbeats() == {"g": new, "h": Heartbeat("h", 1, 1, True)}


def test_ready_and_close(records: Records) -> None:
    records.ready()
    records.close()
    records.close()


def test_several_threads_write_at_once(records: Records) -> None:
    def write(worker: int) -> None:
        for n in range(20):
            records.keep_rejects([Reject(n, f"t{worker}", b"", "why")])
            records.replace_register(VILLAGE)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records.count_rejects() == {"why": 60}
    assert records.register_version() == 60
