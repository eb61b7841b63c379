"""`listen` on real brokers and real files: answers, poison, a failing store, two workers, mended places."""

import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_service.mqtt import translate
from ingest_service.mqtt.embedded_broker import start_broker
from tests.live.ingest_parts import ACK, Sender, Server, flow, make_pack
from tests.support.broker import Mosquitto, free_port
from tests.support.wait import until

NOW_S = int(time.time()) - 3600


@pytest.fixture(params=["mosquitto", "embedded"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    if request.param == "mosquitto":
        with Mosquitto(tmp_path) as broker:
            yield broker.port
    else:
        own = start_broker(free_port(), tmp_path)
        yield own.port
        own.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    with Mosquitto(tmp_path) as broker:
        yield broker.port


def test_readings_are_answered_when_they_are_stored(port: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", port) as server, Sender(port) as sender:
        server.load_places()
        server.start()
        packs = {f"p{n}": make_pack(NOW_S + n, n / 10) for n in range(300)}
        sender.deliver(packs)
        assert set(sender.answers.values()) == {"ok"}
        stored = flow(server)
        assert stored.at_ms == [(NOW_S + n) * 1000 for n in range(300)]
        assert stored.value == [n / 10 for n in range(300)]


def test_sigterm_ends_listen_cleanly(mosquitto: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", mosquitto) as server:
        process = server.start()
        until(lambda: "connected to the broker" in server.said())
        process.terminate()
        assert process.wait(10) == 0


POISON = {
    "not_json": b"hello",
    "too_large": b"[" + b" " * translate.MAX_PAYLOAD_BYTES,
    "not_utf8": b'[{"bn":"\xff:"}]',
    "not_senml": b"[[[[[]]]]]",
    "bad_value": b'[{"bn":"F01:flow_lpm","bt":1793491200,"v":{"v":1}}]',
    "absurd_time": b'[{"bn":"F01:flow_lpm","bt":12,"v":1}]',
    "conflict": b'[{"bn":"F01:flow_lpm","bt":1793491200,"v":1},{"v":2}]',
    "must_understand": b'[{"bn":"F01:flow_lpm","bt":1793491200,"v":1,"x_":1}]',
    "bad_unit": b'[{"bn":"F01:flow_lpm","bt":1793491200,"u":"m3/h","v":1}]',
    "unknown_node": make_pack(NOW_S, 1, node="ZZZ"),
    "unknown_channel": make_pack(NOW_S, 1, channel="rainfall_mm"),
    "no_placement": make_pack(NOW_S, 1, channel="pressure_bar"),
}


def test_poison_is_kept_answered_and_hurts_nobody(port: int, tmp_path: Path) -> None:
    deep = b"[" * 200_000
    bomb = zlib.compress(b" " * 50_000_000)
    with Server(tmp_path / "data", port) as server, Sender(port) as sender:
        server.load_places()
        server.start()
        sender.deliver({"warm": make_pack(NOW_S - 1, 0.5)})
        for number, (reason, payload) in enumerate(POISON.items()):
            sender.publish(payload, reason)
            sender.publish(make_pack(NOW_S + number, number), f"good{number}")
        sender.publish(deep, "deep")
        sender.publish(bomb, "bomb", encoding="deflate")
        sender.publish(b"x", "gzip", encoding="gzip")
        sender.publish(make_pack(NOW_S, 9), "elsewhere", response="monuoc/v1/other/ack")
        sender.publish(make_pack(NOW_S, 9), topic="monuoc/v1/BAD gateway/data")
        sender.publish(make_pack(NOW_S, 9), "\xff\xfe")
        expected = {reason: reason for reason in POISON} | {f"good{n}": "ok" for n in range(len(POISON))}
        expected |= {"warm": "ok", "deep": "not_json", "bomb": "too_large", "gzip": "bad_encoding"}
        expected |= {"elsewhere": "bad_response_topic"}
        until(lambda: len(sender.answers) >= len(expected), 20, "for all answers")
        assert sender.answers == expected
        kinds = until(
            lambda: {"bad_topic", "bad_correlation"} <= (found := server.records.count_rejects()).keys() and found
        )
        assert kinds["too_large"] == 2
        kept = {reject.payload: reject for _, reject in server.records.rejects()}
        assert {deep, bomb, *POISON.values()} <= kept.keys()
        assert kept[bomb].topic == "monuoc/v1/lung-sau/data"
        assert flow(server).value == [0.5, *map(float, range(len(POISON)))]


def test_nobody_is_answered_on_another_gateways_topic(mosquitto: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", mosquitto) as server, Sender(mosquitto) as mine, Sender(mosquitto, "other") as other:
        server.load_places()
        server.start()
        mine.deliver({"warm": make_pack(NOW_S, 1)})
        other.publish(make_pack(NOW_S, 1), "spoof", response=ACK)
        other.deliver({"own": make_pack(NOW_S, 1)})
        assert other.answers == {"spoof": "bad_response_topic", "own": "unknown_node"}
        assert mine.answers == {"warm": "ok"}


def test_a_partly_good_pack_is_stored_and_kept(mosquitto: int, tmp_path: Path) -> None:
    mixed = json.dumps([{"bn": "F01:", "bt": NOW_S, "n": "flow_lpm", "v": 2.5}, {"n": "novelty_x", "v": 1}]).encode()
    with Server(tmp_path / "data", mosquitto) as server, Sender(mosquitto) as sender:
        server.load_places()
        server.start()
        sender.deliver({"mixed": mixed})
        assert sender.answers == {"mixed": "ok"}
        assert flow(server).value == [2.5]
        [(_, reject)] = server.records.rejects()
        assert (reject.payload, reject.reason) == (mixed, "unknown_channel")
        assert "novelty_x" in reject.detail


def test_rejects_are_taken_in_after_the_places_were_mended(mosquitto: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", mosquitto) as server, Sender(mosquitto) as sender:
        server.start()
        small = zlib.compress(make_pack(NOW_S + 9, 9.0))
        sender.deliver({f"p{n}": make_pack(NOW_S + n, float(n)) for n in range(3)} | {"junk": b"junk"})
        sender.publish(small, "small", encoding="deflate")
        until(lambda: "small" in sender.answers)
        assert set(sender.answers.values()) == {"unknown_node", "not_json"}
        assert "4 unknown_node" in server.command("rejects")
        server.load_places()
        assert server.command("retry-rejects").startswith("4 of 5 taken in; 1 are still kept")
        assert flow(server).value == [0.0, 1.0, 2.0, 9.0]
        assert server.command("retry-rejects").startswith("0 of 1 taken in; 1 are still kept")
        assert "not_json" in server.command("rejects", "--json")
        sender.deliver({"after": make_pack(NOW_S + 20, 2.0)})
        sender.deliver({f"after{n}": make_pack(NOW_S + 20 + n, 2.0) for n in range(20)})
        assert sender.answers["after19"] == "ok"


def test_heartbeats_are_saved(mosquitto: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", mosquitto) as server, Sender(mosquitto) as sender:
        server.start()
        until(lambda: "connected to the broker" in server.said())
        status = "monuoc/v1/lung-sau/status"
        beat = {"v": 1, "online": True, "at": NOW_S, "spool": {"depth": 7}}

        def heard() -> bool:
            sender.publish(json.dumps(beat).encode(), topic=status)
            return "lung-sau" in server.records.heartbeats()

        until(heard)
        assert server.records.heartbeats()["lung-sau"].body == beat
        sender.publish(b'{"v":1,"online":false}', topic=status)
        until(lambda: not server.records.heartbeats()["lung-sau"].online)
        sender.publish(b"", topic=status)
        sender.publish(b"nonsense", topic=status)
        until(lambda: server.records.count_rejects() == {"not_json": 1})


def test_a_full_store_leaves_packs_unanswered_and_recovers(mosquitto: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", mosquitto, history_max_bytes="200000") as server, Sender(mosquitto) as sender:
        server.load_places()
        process = server.start()
        began_s = NOW_S - 86_400
        packs = {f"p{n}": make_pack(began_s + 500 * n, n / 10, count=400) for n in range(40)}
        sender.deliver({"p0": packs["p0"]})
        with pytest.raises(AssertionError, match="never answered"):
            sender.deliver(packs, timeout_s=4)
        answered = [pack_id for pack_id in packs if pack_id in sender.answers]
        assert 0 < len(answered) < len(packs)
        assert len(flow(server).at_ms) >= 400 * len(answered)
        assert set(sender.answers.values()) == {"ok"}
        assert process.poll() is None
        assert "the store takes nothing" in server.said()
        process.kill()
        server._env["MONUOC_HISTORY_MAX_BYTES"] = "0"
        server.start()
        sender.deliver(packs)
        stored = flow(server)
        assert stored.at_ms == [(began_s + 500 * n + k) * 1000 for n in range(40) for k in range(400)]
        assert set(sender.answers.values()) == {"ok"}


def test_a_locked_store_is_waited_for(mosquitto: int, tmp_path: Path) -> None:
    import sqlite3

    with Server(tmp_path / "data", mosquitto) as server, Sender(mosquitto) as sender:
        server.load_places()
        server.start()
        sender.deliver({"first": make_pack(NOW_S, 1)})
        hog = sqlite3.connect(tmp_path / "data" / "history.sqlite3", isolation_level=None)
        hog.execute("begin immediate")
        sender.publish(make_pack(NOW_S + 1, 2), "second")
        with sender.answered:
            assert not sender.answered.wait_for(lambda: "second" in sender.answers, 1.0)
        hog.execute("rollback")
        hog.close()
        until(lambda: sender.answers.get("second") == "ok", 20)


def test_two_workers_share_the_traffic(port: int, tmp_path: Path) -> None:
    with Server(tmp_path / "data", port) as server, Sender(port) as sender:
        server.load_places()
        server.start()
        server.start()
        until(lambda: server.said().count("connected to the broker") == 2)
        packs = {f"p{n}": make_pack(NOW_S + n, n / 10) for n in range(400)}
        sender.deliver(packs)
        assert flow(server).value == [n / 10 for n in range(400)]
        server.processes[0].kill()
        more = {f"q{n}": make_pack(NOW_S + 1000 + n, n / 10) for n in range(200)}
        sender.deliver(more)
        assert len(flow(server).at_ms) == 600
