"""`listen` is killed with -9 at random instants under load: nothing is lost, doubled or changed."""

import random
import threading
import time
from pathlib import Path

import pytest

from tests.live.ingest_parts import Sender, Server, flow, make_pack
from tests.support.broker import Mosquitto

BEGAN_S = int(time.time()) - 30 * 86_400
PER_PACK = 25


def kill_often(folder: Path, kills: int, packs: int, *, kill_broker: bool) -> None:
    random.seed(kills)
    folder.mkdir()
    with Mosquitto(folder) as broker, Server(folder / "data", broker.port) as server, Sender(broker.port) as sender:
        server.load_places()
        waves = [
            {f"p{n}": make_pack(BEGAN_S + PER_PACK * n, n / 100, count=PER_PACK) for n in range(first, first + 250)}
            for first in range(0, packs, 250)
        ]
        delivered = threading.Event()
        failed: list[BaseException] = []

        def deliver() -> None:
            try:
                for wave in waves:
                    sender.deliver(wave, timeout_s=120, repeat_s=0.5)
                while not stop.is_set():  # keep the load up until the last kill
                    sender.answers.clear()
                    sender.deliver(waves[0], timeout_s=120, repeat_s=0.5)
            except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
                failed.append(error)
            delivered.set()

        stop = threading.Event()
        loader = threading.Thread(target=deliver)
        loader.start()
        for number in range(kills):
            process = server.start()
            time.sleep(random.uniform(0.4, 1.6))  # the instant is to be random: there is no event to wait for
            process.kill()
            process.wait()
            if kill_broker and number % 3 == 0:
                broker.kill()
                broker.start()
        server.start()
        stop.set()
        assert delivered.wait(150)
        loader.join()
        assert not failed, failed
        stored = flow(server)
        assert stored.at_ms == [(BEGAN_S + n) * 1000 for n in range(PER_PACK * packs)]
        expected = [round(n / 100 + k / 1000, 3) for n in range(packs) for k in range(PER_PACK)]
        assert stored.value == expected
        assert server.records.count_rejects() == {}


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path / "few", kills=5, packs=1500, kill_broker=True)


@pytest.mark.prove
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    kill_often(tmp_path / "many", kills=60, packs=6000, kill_broker=True)
