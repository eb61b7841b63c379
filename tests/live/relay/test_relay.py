"""Spool, relay and broker link against a real mosquitto that is killed, wiped, silent or confused."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from gateway.broker import Addresses, Broker
from gateway.config import BrokerConfig, RelayConfig
from gateway.heartbeat import OFFLINE
from gateway.relay import Relay
from gateway.spool import Entry, Limits, Spool
from gateway.wire import CONTENT_TYPE, build_pack, build_topic, decode_answer, encode_answer
from tests.live.relay.peer import Peer
from tests.support.broker import Mosquitto
from tests.support.wait import until

START_MS = 1_793_491_200_000
QUICK = RelayConfig(answer_timeout_s=0.3, backlog_readings=20)


class Station:
    """A gateway without nodes: spool, link and relay, turned by a thread."""

    def __init__(self, folder: Path, port: int, config: RelayConfig = QUICK) -> None:
        self.spool = Spool.open(folder / "spool.db", Limits(commit_interval_s=0.05))
        topics = {kind: build_topic("try", kind) for kind in ("data", "status", "ack", "command", "reply")}
        self.link = Broker(BrokerConfig(port=port), "try", Addresses(**topics, content_type=CONTENT_TYPE), OFFLINE)
        self.relay = Relay(self.spool, self.link, build_pack, config)
        self.number = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._turn)

    def _turn(self) -> None:
        self.link.start(lambda: None)
        while not self._over.wait(0.005):
            for payload in self.link.take_answers():
                answer = decode_answer(payload)
                self.relay.take_answer(answer.ok, answer.rejected)
            if self.spool.seconds_to_commit() == 0:
                self.spool.commit()
            self.relay.turn()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.link.stop()
        self.spool.close()

    def append(self, count: int, nodes: int = 1) -> None:
        """Frames of these many nodes in turn."""
        for number in range(self.number, self.number + count):
            node = f"T{number % nodes + 1:02d}"
            body = f"{node} distance_m={number} battery_v=12.5".encode()
            self.spool.append(Entry(START_MS + number * 1000, number * 1000, True, "boot", body, 2, node), {})
        self.number += count

    def wait_all_there(self, peer: Peer, timeout_s: float = 30) -> None:
        """Everything has arrived once, unchanged, and is forgotten."""
        until(lambda: self.spool.depth() == 0, timeout_s, "for the spool to be empty")
        assert peer.changed == []
        distances = {at_ms: value for (_, channel, at_ms), (value, _) in peer.points.items() if channel == "distance_m"}
        assert distances == {START_MS + number * 1000: number for number in range(self.number)}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def test_frames_arrive_as_live_packs_and_are_forgotten(tmp_path: Path, broker: Mosquitto) -> None:
    with Peer(broker.port) as peer, Station(tmp_path, broker.port) as station:
        until(lambda: station.link.connected)
        for count in range(1, 4):
            station.append(1)
            peer.wait_points(2 * count)
        station.wait_all_there(peer)
        assert [readings for _, readings in peer.packs] == [2, 2, 2]


def test_backlog_goes_in_big_packs_beside_fresh_ones(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, broker.port) as station:
        station.append(300)
        until(lambda: station.spool.counters().committed_frames == 300 and station.relay.overdue)
        with Peer(broker.port) as peer:
            station.append(1)
            station.wait_all_there(peer)
            assert 20 in [readings for _, readings in peer.packs]
            assert max(readings for _, readings in peer.packs) == 20


def test_a_fresh_frame_overtakes_the_backlog(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, broker.port, RelayConfig(backlog_readings=2, backlog_window=1)) as station:
        station.append(300)
        until(lambda: station.spool.counters().committed_frames == 300)
    with (
        Peer(broker.port) as peer,
        Station(tmp_path, broker.port, RelayConfig(backlog_readings=2, backlog_window=1)) as station,
    ):
        station.number = 300
        peer.wait_points(20)
        station.append(1)
        until(lambda: ("T01", "distance_m", START_MS + 300_000) in peer.points)
        assert len(peer.points) < 600
        station.wait_all_there(peer)


def count_readings_sent(peer: Peer) -> int:
    return sum(readings for _, readings in peer.packs)


def test_the_newest_of_each_node_goes_before_the_backlog(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, 1) as station:
        station.append(300, nodes=30)
        until(lambda: station.spool.counters().committed_frames == 300)
    patient = RelayConfig(window=4, backlog_window=2, backlog_readings=20)
    with Peer(broker.port) as peer, Station(tmp_path, broker.port, patient) as station:
        station.number = 300
        station.wait_all_there(peer)
        assert [readings for _, readings in peer.packs[:30]] == [2] * 30
        newest_first = [START_MS + number * 1000 for number in range(299, 269, -1)]
        assert [at_ms for _, channel, at_ms in peer.points if channel == "distance_m"][:30] == newest_first
        assert count_readings_sent(peer) == 600  # nothing twice


def test_the_newest_goes_first_also_when_only_the_server_was_away(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, broker.port) as station:
        station.append(300, nodes=3)
        until(lambda: station.spool.counters().committed_frames == 300 and station.relay.overdue)
        with Peer(broker.port) as peer:
            station.wait_all_there(peer)
            arrived = [at_ms for _, channel, at_ms in peer.points if channel == "distance_m"]
            one_pack = QUICK.backlog_readings // 2  # what knocked may be backlog
            assert {START_MS + number * 1000 for number in (297, 298, 299)} <= {*arrived[: one_pack + 3]}


def test_the_window_holds_for_the_newest_as_well(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, 1) as station:
        station.append(300, nodes=30)
        until(lambda: station.spool.counters().committed_frames == 300)
    patient = RelayConfig(window=4, backlog_window=2, answer_timeout_s=60)
    with Peer(broker.port) as peer, Station(tmp_path, broker.port, patient) as station:
        peer.policy = lambda pack_id: []
        until(lambda: len(peer.packs) == 4)
        station.append(3)
        until(lambda: station.spool.counters().committed_frames == 303)
        assert station.relay.sent == 4


def test_a_broker_killed_and_wiped_loses_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    with Peer(broker.port) as peer, Station(tmp_path, broker.port) as station:
        for _ in range(3):
            station.append(40)
            peer.wait_points(1)
            broker.kill()
            station.append(40)
            broker.start()
            until(lambda: station.link.connected, 30)
        station.append(1)
        station.wait_all_there(peer, 60)


def test_a_server_that_hears_nothing_for_long_gets_all_in_the_end(tmp_path: Path, broker: Mosquitto) -> None:
    with Station(tmp_path, broker.port) as station:
        for _ in range(10):
            station.append(20)
            time.sleep(0.1)  # no event: the server is silent
        until(lambda: station.relay.overdue >= 3)
        sent = station.relay.sent
        assert sent < 60  # it knocks, it does not flood
        with Peer(broker.port) as peer:
            station.wait_all_there(peer)


def test_lost_late_doubled_and_foreign_answers_do_no_harm(tmp_path: Path, broker: Mosquitto) -> None:
    late: list[str] = []
    count = 0

    def confuse(pack_id: str) -> list[bytes]:
        nonlocal count
        count += 1
        ok = encode_answer([pack_id], {})
        if count % 4 == 0:
            late.append(pack_id)
            return []
        if count % 4 == 1:
            return [ok, ok, encode_answer(["nobody-1"], {"nobody-2": "what"})]
        if count % 4 == 2:
            return [encode_answer([*late], {}), ok]
        return []

    with Peer(broker.port) as peer, Station(tmp_path, broker.port) as station:
        peer.policy = confuse
        for _ in range(20):
            station.append(5)
            time.sleep(0.02)  # several commits
        station.wait_all_there(peer, 60)
        assert station.relay.overdue > 0


def test_rejected_packs_are_forgotten_and_counted(tmp_path: Path, broker: Mosquitto) -> None:
    with Peer(broker.port) as peer, Station(tmp_path, broker.port) as station:
        peer.policy = lambda pack_id: [encode_answer([], {pack_id: "bad_time"})]
        station.append(3)
        until(lambda: station.spool.depth() == 0, 20)
        assert station.relay.rejected > 0


def test_frames_that_no_disk_takes_are_sent_from_memory(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Peer(broker.port) as peer, Station(tmp_path, broker.port) as station:
        station.append(3)
        station.wait_all_there(peer)
        station.spool._table._db.execute("PRAGMA query_only = ON")  # as a card that turned read-only
        station.append(3)
        peer.wait_points(12)
        until(lambda: station.spool.depth() == 0)
        assert station.spool.trouble
        station.spool._table._db.execute("PRAGMA query_only = OFF")
        station.append(3)
        station.wait_all_there(peer)
        until(lambda: not station.spool.trouble)


def test_a_link_that_never_was_keeps_memory_small(tmp_path: Path) -> None:
    with Station(tmp_path, 1) as station:
        station.append(5000)
        until(lambda: station.spool.counters().committed_frames == 5000)
        assert station.relay.sent == 0
        assert not station.spool._waiting.entries
