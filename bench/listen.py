"""How fast `listen` takes packs in: from a real mosquitto to the durable store, each answered after its commit.

The worker is pinned to one core; broker, sender and collector of answers have the other. For throughput the worker is
stopped while the broker's queue is filled, then let go: what is measured is the worker alone.
"""

# ruff: noqa: ARG002 - a store that keeps nothing has the arguments of its port

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.wire import Pack, Reading, build_pack, encode_record
from ingest_service.domain.places import Asset, Node, Place, Placement, Register, Tank, TankShape
from ingest_service.mqtt import translate
from ingest_service.mqtt.connection import BrokerAddress, Connection
from ingest_service.mqtt.intake import Intake
from ingest_service.mqtt.listener import Listener
from ingest_service.mqtt.metrics import ListenFigures
from ingest_service.services.ports import Bucket, Observation, Observations, Points, SeriesKey
from ingest_service.storage import migrate
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.influx import InfluxObservations
from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp
from ingest_service.storage.influx_labels import RegisterLabels
from ingest_service.storage.influx_setup import prepare
from ingest_service.storage.records import SqlRecords
from tests.support.broker import Mosquitto
from tests.support.influx import Influx
from tests.support.wait import until

GATEWAYS, NODES = 50, 4
BACKLOG_FRAMES, FRAMES_PER_PACK = 2500, 125
LIVE_ROUNDS = 150
LATENCY_S, LATENCY_RATE = 8, 1000
START_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
NOW_MS = START_MS + 200 * 86_400_000
CHANNELS = ("distance_m", "flow_lpm", "volume_total_l", "temperature_c")

Sent = tuple[str, str, Pack]
"""Gateway, the pack's id, the pack."""


class NullObservations:
    """Takes everything and keeps nothing."""

    def write(self, batch: Sequence[Points]) -> None:
        pass

    def latest(self, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Observation]:
        return {}

    def read(self, key: SeriesKey, from_ms: int, to_ms: int) -> Points:
        return Points(key, [], [], [])

    def before(self, key: SeriesKey, before_ms: int, count: int) -> Points:
        return Points(key, [], [], [])

    def aggregate(self, key: SeriesKey, from_ms: int, to_ms: int, step_ms: int) -> list[Bucket]:
        return []

    def series(self) -> list[SeriesKey]:
        return []

    def close(self) -> None:
        pass


def run() -> dict[str, object]:
    backlog, live = make_backlog(), make_live(0, LIVE_ROUNDS)
    readings = len(backlog) * FRAMES_PER_PACK * len(CHANNELS)
    figures: dict[str, object] = {}
    for name, packs, count, store, target in (
        ("backlog_readings_per_s", backlog, readings, "embedded", 150_000),
        ("backlog_null_store_readings_per_s", backlog, readings, "null", 300_000),
        ("backlog_influx_1_8_readings_per_s", backlog, readings, "influx", None),
        ("live_packs_of_four_per_s", live, len(live), "embedded", 6_000),
        ("live_influx_1_8_packs_of_four_per_s", live, len(live), "influx", None),
    ):
        wall_s, cpu_s, bare_s = drain(packs, store)
        figures[name] = round(count / wall_s)
        figures[f"{name}_by_cpu_time"] = round(count / cpu_s)
        if target:
            figures[f"{name}_target"] = target
        if store == "embedded":
            figures[f"{name}_share_of_bare_sqlite"] = round(bare_s / cpu_s, 2)
    figures |= measure_latency()
    return figures


class Worker:
    """One listener on core 0, in a folder of its own."""

    def __init__(self, folder: Path, port: int, store: str = "embedded") -> None:
        """`store` is "embedded", "null" or the address of an InfluxDB."""
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=work, args=(folder, port, store), daemon=True)
        self.process.start()
        until((folder / "ready").exists, 20, "for the worker to subscribe")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        os.kill(self.process.pid or 0, number)


def work(folder: Path, port: int, kind: str) -> None:
    os.sched_setaffinity(0, {0})
    url = f"sqlite:///{folder}/records.sqlite3"
    migrate.upgrade(url)
    records = SqlRecords(url)
    records.replace_register(make_register())
    store = open_history(folder, kind, records)
    connection = Connection(
        BrokerAddress("127.0.0.1", port, window=2000), (translate.DATA_FILTER, translate.STATUS_FILTER)
    )
    listener = Listener(connection, Intake(store, records, lambda: NOW_MS), ListenFigures())

    def stopping() -> bool:
        if connection.connected:
            (folder / "ready").touch()
        return False

    listener.run(stopping)


def open_history(folder: Path, kind: str, records: SqlRecords) -> Observations:
    if kind == "null":
        return NullObservations()
    if kind == "embedded":
        return EmbeddedObservations(folder / "history.sqlite3")
    http = InfluxHttp(InfluxAddress(kind, "monuoc/raw"))
    prepare(http)
    return InfluxObservations(http, RegisterLabels(records))


class Sender:
    """Publishes packs and notes when each was answered."""

    def __init__(self, port: int) -> None:
        self.at_s: dict[str, float] = {}
        self.refused: dict[str, str] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("monuoc/v1/+/ack")
        self._client.loop_start()
        until(self._client.is_connected)

    def _note(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        now_s = time.perf_counter()
        body = json.loads(message.payload)
        self.at_s.update(dict.fromkeys(body["ok"], now_s))
        self.refused.update(body["rejected"])

    def publish(self, gateway: str, pack_id: str, pack: Pack) -> paho.MQTTMessageInfo:
        said = Properties(PacketTypes.PUBLISH)
        said.ResponseTopic = f"monuoc/v1/{gateway}/ack"
        said.CorrelationData = pack_id.encode()
        if pack.encoding:
            said.UserProperty = ("encoding", pack.encoding)
        return self._client.publish(f"monuoc/v1/{gateway}/data", pack.payload, 1, properties=said)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def drain(packs: Sequence[Sent], store: str) -> tuple[float, float, float]:
    """Seconds until all waiting packs are answered, by the clock and of the processor; those of a bare store."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Mosquitto(folder))
        address = stack.enter_context(Influx(folder / "influx")).url if store == "influx" else store
        worker, sender = Worker(folder, broker.port, address), Sender(broker.port)
        worker.signal(signal.SIGSTOP)
        sent = [sender.publish(*pack) for pack in packs]
        until(lambda: all(one.is_published() for one in sent[-1000:]), 60, "for the broker to take all")
        began_s, cpu_s = time.perf_counter(), worker.cpu_s()
        worker.signal(signal.SIGCONT)
        until(lambda: len(sender.at_s) + len(sender.refused) >= len(packs), 60, "for all answers")
        wall_s, cpu_s = max(sender.at_s.values()) - began_s, worker.cpu_s() - cpu_s
        assert not sender.refused, sender.refused
        stop(worker, sender)
        bare_s = store_bare(folder) if store == "embedded" else 0.0
    return wall_s, cpu_s, bare_s


def store_bare(folder: Path) -> float:
    """Processor seconds to put the same rows into the same table with nothing around it: the limit of any worker."""
    db = sqlite3.connect(folder / "history.sqlite3", isolation_level=None)
    (schema,) = db.execute("select sql from sqlite_master where name = 'points'").fetchone()
    rows = db.execute(
        "select series_id, at_ms, value, qc from points order by at_ms / 7500000, series_id, at_ms"
    ).fetchall()
    db.close()
    bare = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    bare.executescript(
        f"pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 10000; {schema}"
    )
    began_s = time.process_time()
    for first in range(0, len(rows), 10_000):
        bare.execute("begin")
        bare.executemany("insert into points values (?, ?, ?, ?)", rows[first : first + 10_000])
        bare.execute("commit")
    took_s = time.process_time() - began_s
    bare.close()
    return took_s


def stop(worker: Worker, sender: Sender) -> None:
    sender.close()
    worker.process.kill()
    worker.process.join()


def measure_latency() -> dict[str, object]:
    packs = make_live(LIVE_ROUNDS, LATENCY_S * LATENCY_RATE // (GATEWAYS * NODES))
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        worker, sender = Worker(Path(name), broker.port), Sender(broker.port)
        began_s, cpu_s = time.perf_counter(), worker.cpu_s()
        sent_s: dict[str, float] = {}
        for number, pack in enumerate(packs):
            if (ahead_s := began_s + number / LATENCY_RATE - time.perf_counter()) > 0:
                time.sleep(ahead_s)
            sent_s[pack[1]] = time.perf_counter()
            sender.publish(*pack)
        until(lambda: len(sender.at_s) >= len(packs), 30, "for all answers")
        busy = (worker.cpu_s() - cpu_s) / (time.perf_counter() - began_s)
        stop(worker, sender)
    took_ms = [1000 * (sender.at_s[pack_id] - at_s) for pack_id, at_s in sent_s.items()]
    return {
        "publish_to_answer_ms_p50": round(statistics.median(took_ms), 1),
        "publish_to_answer_ms_p99": round(statistics.quantiles(took_ms, n=100)[98], 1),
        "publish_to_answer_ms_p99_target": 150,
        "publish_to_answer_packs_per_s": LATENCY_RATE,
        "publish_to_answer_worker_core_share": round(busy, 2),
    }


def make_register() -> Register:
    tank = Tank(TankShape("cylinder", {"diameter_m": 1.5}), 0.1, 1.7, 2.1)
    places = {"p": Place("p", "P")}
    nodes = [Node(f"g{g}", f"T{n}", "p") for g in range(GATEWAYS) for n in range(NODES)]
    assets = {key: Asset(key, "p", "tank", key, tank) for key in (node.key.replace("/", "-") for node in nodes)}
    since = datetime(2025, 1, 1, tzinfo=UTC)
    placements = [
        Placement(node.key, channel, node.key.replace("/", "-"), since) for node in nodes for channel in CHANNELS
    ]
    return Register(1, places, assets, {node.key: node for node in nodes}, tuple(placements))


class Walk:
    """One node's readings, frame after frame."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._distance_m, self._total_l = 1.0, 0.0

    def frame(self, node: str, at_ms: int) -> tuple[int, bool, bytes]:
        self._distance_m = min(1.9, max(0.4, self._distance_m + self._chance.gauss(0, 0.003)))
        flow_lpm = max(0.0, round(self._chance.gauss(6, 2), 1))
        self._total_l += flow_lpm
        values = (round(self._distance_m, 3), flow_lpm, round(self._total_l, 1), round(self._chance.gauss(18, 0.2), 1))
        return at_ms, True, encode_record(node, [Reading(*one) for one in zip(CHANNELS, values, strict=True)])


def make_backlog() -> list[Sent]:
    """Packs of one node's 125 frames, 500 readings, from all gateways in turn."""
    packs = []
    for g in range(GATEWAYS):
        walk = Walk(g)
        for first in range(0, BACKLOG_FRAMES, FRAMES_PER_PACK):
            frames = [walk.frame("T0", START_MS + 60_000 * n) for n in range(first, first + FRAMES_PER_PACK)]
            packs.append((first, g, build_pack(frames)))
    return [(f"g{g}", f"{g}-{first}", pack) for first, g, pack in sorted(packs, key=lambda row: row[:2])]


def make_live(first: int, rounds: int) -> list[Sent]:
    """One frame of four readings a pack, each node once a round."""
    walks = {(g, n): Walk(g * NODES + n) for g in range(GATEWAYS) for n in range(NODES)}
    return [
        (f"g{g}", f"{g}-{n}-{r}", build_pack([walk.frame(f"T{n}", START_MS + 60_000 * r + g * 997)]))
        for r in range(first, first + rounds)
        for (g, n), walk in walks.items()
    ]
