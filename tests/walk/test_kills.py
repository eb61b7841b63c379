"""The whole chain under kill -9 at random instants: nothing committed is lost, doubled or changed."""

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.control import ask
from ingest_service.demo import gateway_status, load_places
from ingest_service.demo.parts import Part
from ingest_service.demo.stage import NODES, Stage, prepare
from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.services.ports import SeriesKey
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.records import SqlRecords
from tests.support.audit import prepare_audit, read_audit
from tests.support.broker import Mosquitto
from tests.support.wait import until

ASSETS = {"T01": "lung-sau-be-1", "T02": "lung-sau-be-2", "F01": "lung-sau-loc-1", "L01": "lung-sau-tuyen-1"}
OF_NODE = {
    "T01": ("lung-sau-be-1", "distance_m"),
    "T02": ("lung-sau-be-2", "distance_m"),
    "F01": ("lung-sau-loc-1", "head_m"),
    "L01": ("lung-sau-tuyen-1", "pressure_bar"),
}


class Chain:
    """Village, gateway, a real mosquitto, listen and watch; every part can be killed and started again."""

    def __init__(self, folder: Path, broker: Mosquitto, factor: float) -> None:
        self.stage: Stage = prepare(factor, folder / "stage", seed=1, own_broker=broker.port)
        self.broker = broker
        python = [sys.executable, "-m", "ingest_service.cli"]
        self.listen = Part("listen", [*python, "listen"], self.stage.folder, self.stage.server_env)
        self.watch = Part("watch", [*python, "watch"], self.stage.folder, self.stage.server_env)
        self.history = self.stage.folder / "server" / "history.sqlite3"
        self.data_dir = self.stage.folder / "gateway"
        self.unseen_at_first: dict[str, int] = {}

    def start(self) -> None:
        prepare_audit(self.data_dir)
        load_places(self.stage)
        for part in (self.listen, self.watch, self.stage.gateway):
            part.start()
        until(lambda: gateway_status(self.stage), 30, "for the gateway")
        self.stage.village.start()

    def look_at_first_contact(self) -> None:
        """Frames before the gateway had opened a port for the first time: nobody can know of them."""
        looks = []
        for _ in range(9):  # some looks catch a frame on its way, which counts as unseen
            heard = ask(self.data_dir, {"do": "status"})["nodes"]
            self.stage.village.tell({"do": "stats"})
            looks.append(count_unseen(heard, self.stage.village.wait("stats", 10)["nodes"]))
        self.unseen_at_first = {node: min(look[node] for look in looks) for node in NODES}

    def stop(self) -> None:
        self.stage.close()
        self.listen.stop()
        self.watch.stop()

    def kill_and_restart(self, victim: str) -> None:
        if victim in NODES:
            self.stage.village.tell({"do": "kill", "node": victim})
            self.stage.village.tell({"do": "start", "node": victim})
        else:
            part = {"gateway": self.stage.gateway, "listen": self.listen, "watch": self.watch, "broker": self.broker}
            part[victim].kill()
            part[victim].start()

    def stored(self) -> dict[tuple[str, str, int], float | None]:
        store = EmbeddedObservations(self.history)
        found = {}
        for key in store.series():
            points = store.read(key, 0, 2**52)
            quantity = QUANTITIES[key.quantity]
            if not quantity.derived:
                sent = key.asset, quantity.sent_as or quantity.key
                found.update(dict(zip(((*sent, at_ms) for at_ms in points.at_ms), points.value, strict=True)))
        store.close()
        return found

    def newest(self) -> dict[str, int]:
        """Instant of each node's newest reading in the history."""
        store = EmbeddedObservations(self.history)
        latest = store.latest([SeriesKey(asset, quantity) for asset, quantity in OF_NODE.values()])
        store.close()
        return {node: latest[SeriesKey(*key)].at_ms for node, key in OF_NODE.items() if SeriesKey(*key) in latest}

    def all_newer_than(self, seen: dict[str, int]) -> bool:
        now = self.newest()
        return all(now.get(node, 0) > seen.get(node, 0) for node in NODES)

    def committed(self) -> dict[tuple[str, str, int], float | None]:
        found = read_audit(self.data_dir)
        return {(place(node, channel), channel, at_ms): value for (node, channel, at_ms), (value, _) in found.items()}


def place(node: str, channel: str) -> str:
    return f"node:lung-sau/{node}" if channel == "battery_v" else ASSETS[node]


def kill_all_over(folder: Path, victims: list[str], factor: float) -> int:
    """Kill `victims` one after the other; how many readings had been committed and were found stored."""
    with Mosquitto(folder) as broker:
        chain = Chain(folder, broker, factor)
        try:
            chain.start()
            until(lambda: chain.all_newer_than({}), 30, "for the first readings of every node")
            chain.look_at_first_contact()
            for victim in victims:
                chain.kill_and_restart(victim)
                seen = chain.newest()
                until(lambda seen=seen: chain.all_newer_than(seen), 60, f"for every node after the kill of {victim}")
                time.sleep(random.uniform(0, 0.4))  # the instant is to be random
            return finish(chain)
        finally:
            chain.stop()


def finish(chain: Chain) -> int:
    """Let all that was committed arrive, then compare."""
    for node in NODES:
        chain.stage.village.tell({"do": "kill", "node": node})
    chain.stage.village.tell({"do": "stats"})
    written = chain.stage.village.wait("stats", 10)["nodes"]
    until(lambda: gateway_status(chain.stage)["spool"]["depth"] == 0, 90, "for the spool to drain")
    status = gateway_status(chain.stage)
    committed, stored = chain.committed(), chain.stored()
    assert len(committed) > 100
    assert stored == committed
    assert rejects(chain) == 0
    heard = status["nodes"]
    unseen = count_unseen(heard, written)
    assert all(0 <= unseen[node] <= chain.unseen_at_first[node] for node in NODES), (unseen, chain.unseen_at_first)
    check_volume(written, committed)
    return len(committed)


def count_unseen(heard: Any, written: Any) -> dict[str, int]:
    """Frames that a node wrote and the gateway knows nothing of, neither heard nor missing."""
    return {node: written[node]["frames_sent"] - heard[node]["frames"] - heard[node]["gaps"] for node in NODES}


def rejects(chain: Chain) -> int:
    records = SqlRecords(f"sqlite:///{chain.stage.folder / 'server' / 'records.sqlite3'}")
    count = sum(records.count_rejects().values())
    records.close()
    return count


def check_volume(written: dict[str, dict[str, int]], committed: dict[tuple[str, str, int], float | None]) -> None:
    """Totals never fall, and reach exactly what all frames together told of, in all lives of a node."""
    for node in ("T01", "F01", "L01"):
        at = sorted(
            (key[2], value or 0.0) for key, value in committed.items() if key[:2] == (ASSETS[node], "volume_total_l")
        )
        totals = [value for _, value in at]
        assert totals == sorted(totals)
        assert totals[-1] == pytest.approx(written[node]["pulses_sent"] / 450, abs=0.002), (node, written[node])


def test_a_kill_of_each_part_loses_nothing(tmp_path: Path) -> None:
    kill_all_over(tmp_path, ["gateway", "broker", "listen", "T02", "watch"], 300)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_sixty_kills_over_the_whole_chain_lose_double_and_change_nothing(tmp_path: Path) -> None:
    victims = [*["gateway"] * 14, *["broker"] * 14, *["listen"] * 14, *["watch"] * 4, *["T02", "L01"] * 7]
    random.shuffle(victims)
    assert kill_all_over(tmp_path, victims, 600) > 10_000
