"""The gateway's process is killed with -9 at random instants: all that it had committed arrives, once and unchanged."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.spool import Spool
from gateway.wire.record import decode_record
from tests.live.relay.feeder import PULSES_PER_LITRE, Feeder
from tests.live.relay.peer import Peer, Point
from tests.support.audit import prepare_audit, read_audit
from tests.support.broker import Mosquitto
from tests.support.wait import until

RELAY = "[relay]\nanswer_timeout_s = 0.5\nbacklog_readings = 40"


def start_gateway(config: Path) -> "subprocess.Popen[bytes]":
    with (config.parent / "gateway.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "run", "--config", str(config)], stdout=log, stderr=log
        )


def kill_often(folder: Path, kills: int) -> None:
    prepare_audit(folder / "data")
    with Mosquitto(folder) as broker, Peer(broker.port) as peer, Feeder(4, 0.1) as feeder:
        config = feeder.write_config(folder, broker.port, RELAY, commit_interval_s=0.05)
        for number in range(kills):
            gateway = start_gateway(config)
            seen = len(peer.points)
            if number % 4 < 3:
                until(lambda seen=seen: len(peer.points) > seen, 30, "for the gateway to deliver")
            time.sleep(random.uniform(0, 0.7))  # the instant is to be random
            gateway.kill()
            gateway.wait()
            if number % 3 == 0:
                broker.kill()
                broker.start()
        gateway = start_gateway(config)
        seen = len(peer.points)
        until(lambda: len(peer.points) > seen, 30)
        feeder.stop_feeding()
        time.sleep(0.3)  # what is in the ptys is read
        gateway.terminate()
        assert gateway.wait(20) == 0
        committed = read_audit(folder / "data")
        gateway = start_gateway(config)
        until(lambda: len(peer.points) >= len(committed), 30, "for the rest of the spool")
        gateway.kill()
        gateway.wait()
        assert peer.points == committed
        assert peer.changed == []
        check_no_volume_is_lost(feeder, committed)


def check_no_volume_is_lost(feeder: Feeder, committed: dict[tuple[str, str, int], Point]) -> None:
    """From the first to the last frame each total grows by all pulses between them, whatever fell into a kill."""
    for node, pulses in feeder.pulses.items():
        totals = [point[0] or 0 for key, point in sorted(committed.items()) if key[:2] == (node, "volume_total_l")]
        distances = [point[0] or 0 for key, point in sorted(committed.items()) if key[:2] == (node, "distance_m")]
        first = round((distances[0] - 1.5) * 1000)  # the feeder writes the frame's number there
        assert totals == sorted(totals)
        assert totals[-1] - totals[0] == pytest.approx((pulses - 3 * first) / PULSES_PER_LITRE, abs=0.002)


def test_kills_at_random_instants_lose_double_and_change_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path, 4)


@pytest.mark.prove
def test_many_kills_at_random_instants_lose_double_and_change_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path, 40)


def test_a_clean_end_delivers_or_keeps_and_says_offline(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Peer(broker.port) as peer, Feeder(2, 0.1) as feeder:
        config = feeder.write_config(tmp_path, broker.port, commit_interval_s=30)
        gateway = start_gateway(config)
        log = tmp_path / "gateway.log"
        until(lambda: feeder.sent["T01"] > 20 and "connected" in log.read_text())
        feeder.stop_feeding()
        gateway.terminate()
        assert gateway.wait(20) == 0
        spool = Spool.open(tmp_path / "data" / "spool.db")
        assert spool.counters().committed_frames > 20
        assert spool.counters().committed_readings == len(peer.points) + sum(
            stored.readings
            for stored in spool.read_oldest(0, 10**6, ())
            if not has_all(peer, stored.at_ms, stored.body)
        )
        spool.close()


def has_all(peer: Peer, at_ms: int, body: bytes) -> bool:
    node, readings = decode_record(body)
    return all((node, reading.channel, at_ms) in peer.points for reading in readings)
