"""The server's `listen` as a process, and a sender that behaves as a gateway: it repeats until it is answered."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest_service.services.ports import Observations, Points, SeriesKey
from ingest_service.storage import migrate
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.influx import InfluxObservations
from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp
from ingest_service.storage.influx_labels import RegisterLabels
from ingest_service.storage.places_file import EXAMPLE, read_places
from ingest_service.storage.records import SqlRecords
from tests.support.wait import until

GATEWAY = "lung-sau"
TOPIC = f"monuoc/v1/{GATEWAY}/data"
ACK = f"monuoc/v1/{GATEWAY}/ack"


class Server:
    """Folder with both stores and any number of `listen` processes."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.folder = folder
        self._env = {
            **os.environ,
            "MONUOC_DATA_DIR": str(folder),
            "MONUOC_BROKER_HOST": "127.0.0.1",
            "MONUOC_BROKER_PORT": str(port),
            **{f"MONUOC_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        url = f"sqlite:///{folder}/records.sqlite3"
        migrate.upgrade(url)
        self.records = SqlRecords(url)
        self.history = self._open_history(settings.get("influx_url", ""))

    def _open_history(self, influx_url: str) -> Observations:
        if not influx_url:
            return EmbeddedObservations(self.folder / "history.sqlite3")
        self._env["MONUOC_HISTORY"] = "influx"
        return InfluxObservations(InfluxHttp(InfluxAddress(influx_url, "monuoc/raw")), RegisterLabels(self.records))

    def load_places(self) -> None:
        self.records.replace_register(read_places(EXAMPLE))

    def start(self) -> subprocess.Popen[bytes]:
        """Start one `listen`; it may not have subscribed yet when this returns."""
        with (self.folder / "listen.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest_service.cli", "listen"]
            process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def command(self, *words: str) -> str:
        """What a command of `monuoc` prints."""
        command = [sys.executable, "-m", "ingest_service.cli", *words]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True, timeout=60).stdout

    def said(self) -> str:
        return (self.folder / "listen.log").read_text()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.records.close()
        self.history.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sender:
    """Publishes packs at QoS 1 with Response Topic and Correlation Data, and collects the answers."""

    def __init__(self, port: int, gateway: str = GATEWAY) -> None:
        self.gateway = gateway
        self.answers: dict[str, str] = {}
        self.answered = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(f"monuoc/v1/{gateway}/ack", 1)
        self._client.on_message = self._note
        self._client.connect_async("127.0.0.1", port, 30)
        self._client.loop_start()
        until(self._client.is_connected, what="for the sender to connect")

    def _note(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        body = json.loads(message.payload)
        with self.answered:
            self.answers.update(dict.fromkeys(body["ok"], "ok"))
            self.answers.update(body["rejected"])
            self.answered.notify_all()

    def publish(
        self, payload: bytes, pack_id: str = "", encoding: str = "", topic: str = "", response: str | None = None
    ) -> None:
        said = Properties(PacketTypes.PUBLISH)
        if pack_id:
            said.ResponseTopic = response or f"monuoc/v1/{self.gateway}/ack"
            said.CorrelationData = pack_id.encode("latin-1")
        if encoding:
            said.UserProperty = ("encoding", encoding)
        self._client.publish(topic or f"monuoc/v1/{self.gateway}/data", payload, qos=1, properties=said)

    def deliver(self, packs: Mapping[str, bytes], timeout_s: float = 60, repeat_s: float = 1.0) -> None:
        """Publish all, and again what is not answered, until all is answered."""
        end = time.monotonic() + timeout_s
        while waiting := [pack_id for pack_id in packs if pack_id not in self.answers]:
            assert time.monotonic() < end, f"{len(waiting)} packs were never answered"
            for pack_id in waiting:
                self.publish(packs[pack_id], pack_id)
            with self.answered:
                self.answered.wait_for(lambda: all(pack_id in self.answers for pack_id in waiting), repeat_s)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_pack(at_s: float, value: float, node: str = "F01", channel: str = "flow_lpm", count: int = 1) -> bytes:
    """A pack of `count` readings a second apart, each worth one thousandth more than the one before."""
    first = {"bn": f"{node}:", "bt": at_s, "n": channel, "v": value}
    more = [{"n": channel, "t": n, "v": round(value + n / 1000, 3)} for n in range(1, count)]
    return json.dumps([first, *more]).encode()


def flow(server: Server) -> Points:
    """All flow readings of the filter."""
    return server.history.read(SeriesKey("lung-sau-loc-1", "flow_lpm"), 0, 10**14)
