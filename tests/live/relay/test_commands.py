"""The command line, the control socket, heartbeat, will and remote commands on a running gateway."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.wire import Command, build_topic, encode_command
from tests.live.relay.test_gateway_kills import start_gateway
from tests.support.broker import Mosquitto
from tests.support.wait import until

NOBODY = "no port has heard T01"


class Watcher:
    """Notes the latest message of each topic of the gateway."""

    def __init__(self, port: int) -> None:
        self.last: dict[str, Any] = {}
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_connect = lambda *_: self.client.subscribe(
            [("monuoc/v1/try/status", 1), ("monuoc/v1/try/reply", 1)]
        )
        self.client.on_message = lambda _c, _d, m: self.last.__setitem__(
            m.topic.rpartition("/")[2], json.loads(m.payload)
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()


def call(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    with Mosquitto(tmp_path) as broker:
        watcher = Watcher(broker.port)
        (tmp_path / "gateway.toml").write_text(
            f'id = "try"\ndata_dir = "{tmp_path / "data"}"\n[broker]\nport = {broker.port}\n'
        )
        yield watcher
        watcher.client.disconnect()
        watcher.client.loop_stop()


def test_a_running_gateway_tells_obeys_and_says_goodbye(tmp_path: Path, watcher: Watcher) -> None:
    config = str(tmp_path / "gateway.toml")
    gateway = start_gateway(Path(config))
    try:
        until(lambda: watcher.last.get("status", {}).get("online"), 20, "for the heartbeat")
        assert {"at", "boot", "version", "clock", "spool", "nodes", "disk_free_bytes", "cpu_c"} <= set(
            watcher.last["status"]
        )
        told = json.loads(call("status", "--json", "--config", config).stdout)
        assert told["spool"]["depth"] == 0
        refused = call("send", "T01", "INT", "iv=60000", "--config", config)
        assert (refused.returncode, NOBODY in refused.stderr) == (1, True)
        assert call("send", "T01", "INT", "iv", "--config", config).returncode == 2
        watcher.client.publish(build_topic("try", "command"), b"nonsense", 1)
        watcher.client.publish(build_topic("try", "command"), encode_command(Command("7", "T01", "GET")), 1)
        reply = until(lambda: watcher.last.get("reply"), 20, "for the reply")
        assert (reply["id"], reply["ok"], NOBODY in reply["error"]) == ("7", False, True)
        second = call("run", "--config", config)
        assert (second.returncode, "another gateway runs" in second.stderr) == (1, True)
    finally:
        gateway.terminate()
        assert gateway.wait(20) == 0
    until(lambda: not watcher.last["status"]["online"])
    assert "is it running?" in call("status", "--config", config).stderr


def test_the_will_speaks_for_a_killed_gateway(tmp_path: Path, watcher: Watcher) -> None:
    gateway = start_gateway(tmp_path / "gateway.toml")
    until(lambda: watcher.last.get("status", {}).get("online"), 20)
    gateway.kill()
    gateway.wait()
    until(lambda: not watcher.last["status"]["online"], 20, "for the will")


def test_a_wrong_configuration_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('id = "try"\n[broker]\nport = "x"\n')
    answer = call("check-config", "--config", str(path))
    assert (answer.returncode, f"{path}:3:" in answer.stderr) == (1, True)
