"""Commands to real nodes (MicroPython where it is installed), from afar over the broker and from the machine itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.wire import Command, build_topic, encode_command
from tests.live.relay.test_commands import call
from tests.live.relay.test_gateway_kills import start_gateway
from tests.live.serial.test_village import Village
from tests.support.broker import Mosquitto
from tests.support.wait import until

FACTOR = 50


class Operator:
    """Somebody far away who sends commands and reads replies and heartbeats."""

    def __init__(self, port: int) -> None:
        self.replies: list[dict[str, Any]] = []
        self.status: dict[str, Any] = {}
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        topics = [(build_topic("try", "reply"), 1), (build_topic("try", "status"), 1)]
        self.client.on_connect = lambda client, *_: client.subscribe(topics)
        self.client.on_message = lambda _c, _d, message: self._take(message.topic, json.loads(message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _take(self, topic: str, body: dict[str, Any]) -> None:
        if topic.endswith("reply"):
            self.replies.append(body)
        else:
            self.status = body

    def ask(self, command_id: str, node: str, verb: str, **args: int) -> dict[str, Any]:
        """The next reply."""
        count = len(self.replies)
        self.client.publish(build_topic("try", "command"), encode_command(Command(command_id, node, verb, args)), 1)
        until(lambda: len(self.replies) > count, 30, "for the reply")
        return self.replies[-1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with Mosquitto(tmp_path) as broker:
        (tmp_path / "gateway.toml").write_text(
            f'id = "try"\ndata_dir = "{tmp_path / "data"}"\n[broker]\nport = {broker.port}\n'
            f"[clock]\ntrust = true\nfactor = {FACTOR}\n[heartbeat]\ninterval_s = 0.1\n"
            f'[[port]]\npath = "{tmp_path}/ports/[A-Z][0-9][0-9]"\n'
        )
        operator = Operator(broker.port)
        yield operator
        operator.close()


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    made = Village(tmp_path / "ports", FACTOR)
    yield made
    made.end()


def test_nodes_obey_from_afar_and_from_the_machine(tmp_path: Path, village: Village, operator: Operator) -> None:
    config = str(tmp_path / "gateway.toml")
    gateway = start_gateway(Path(config))
    try:
        until(lambda: set(operator.status.get("nodes", ())) == set(village.ports), 30, "for all nodes")
        changed = operator.ask("c1", "T01", "INT", iv=30_000)
        assert (changed["id"], changed["ok"], changed["fields"]["iv"]) == ("c1", True, 30_000)
        until(lambda: operator.status["nodes"]["T01"]["interval_s"] == 30, what="for the heartbeat to show it")
        refused = operator.ask("c2", "T01", "INT", iv=5)
        assert (refused["ok"], refused["error"]) == (False, "T01 refuses: range")

        local = call("send", "T01", "INT", "iv=20000", "--config", config)
        assert (local.returncode, json.loads(local.stdout)["iv"]) == (0, 20_000)
        until(lambda: operator.status["nodes"]["T01"]["interval_s"] == 20)

        assert operator.ask("c1", "T01", "INT", iv=30_000) == changed  # came again: answered, but not obeyed, again
        assert operator.ask("c1", "T01", "INT", iv=40_000)["error"].startswith("this id was another command's")
        assert operator.ask("c3", "T01", "IDN")["fields"]["iv"] == 20_000

        village.ask("done", do="kill", node="T02")
        silent = operator.ask("c4", "T02", "GET")
        assert (silent["ok"], "T02 does not answer: asked 3 times" in silent["error"]) == (False, True)
        assert "no port has heard X99" in operator.ask("c5", "X99", "GET")["error"]
    finally:
        gateway.terminate()
        assert gateway.wait(20) == 0
