"""Real nodes (MicroPython where it is installed) over pseudo terminals into a real spool."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_scripts.frame import Frame
from firmware_scripts.sim.process import engine_name, find_engine
from gateway.clock import open_clock
from gateway.collect import Collector
from gateway.config import ClockConfig, GatewayConfig, PortConfig
from gateway.sources import open_lines
from gateway.sources.lines import Lines
from gateway.spool import Spool
from tests.support.wait import until


class Village:
    """The simulated village as a program of its own, asked over its pipes."""

    def __init__(self, folder: Path, factor: float) -> None:
        command = [
            sys.executable,
            "-m",
            "firmware_scripts.sim.village",
            "--links",
            str(folder),
            "--factor",
            str(factor),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: dict[str, str] = self._await("ready")["nodes"]

    def _await(self, event: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said: dict[str, Any] = json.loads(line)
            if said["event"] == event:
                return said
        raise AssertionError("the village has ended")

    def ask(self, event: str, **command: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._await(event)

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    if os.environ.get("CI") == "true":
        assert engine_name(find_engine()) == "micropython"
    made = Village(tmp_path / "ports", 100.0)
    yield made
    made.end()


class Edge:
    """Sources and collector on a spool, as the gateway runs them."""

    def __init__(self, folder: Path, ports: tuple[PortConfig, ...], factor: float) -> None:
        clock = ClockConfig(trust=True, factor=factor, origin_ms=1_790_000_000_000, real_origin_ms=0)
        now = open_clock(ClockConfig(trust=True, factor=factor))
        self.spool = Spool.open(folder / "spool.db")
        self.collector = Collector({}, self.spool, now.now, now.boot)
        self.collector.start()
        self.frames: list[Frame] = []
        config = GatewayConfig("edge", clock=clock, ports=ports)
        self.lines: Lines = open_lines(config, self.hear, self.collector.note_bad, lambda: now.now().at_ms)
        self.lines.start()

    def hear(self, frame: Frame, at_ms: int | None) -> None:
        self.frames.append(frame)
        self.collector.hear(frame, at_ms)

    def close(self) -> None:
        self.lines.close()
        self.spool.close()


def test_every_frame_sent_is_heard_or_counted_as_missing(village: Village, tmp_path: Path) -> None:
    pattern = f"{tmp_path}/ports/[A-Z][0-9][0-9]"
    edge = Edge(tmp_path, (PortConfig(path=pattern),), 100.0)
    until(lambda: len(edge.collector.nodes()) == len(village.ports), what="for every node")
    until(lambda: edge.collector.nodes()["T01"].frames > 4)
    village.ask("done", do="unplug", node="T01")
    before = village.ask("stats", do="stats")["nodes"]["T01"]["frames_sent"]
    until(lambda: village.ask("stats", do="stats")["nodes"]["T01"]["frames_sent"] > before + 2)
    village.ask("done", do="plug", node="T01")
    until(lambda: edge.collector.nodes()["T01"].gaps > 0)
    assert edge.lines.send("T01", "GET", {}).kind == "D"
    assert edge.lines.send("T01", "IDN", {}).kind == "B"
    interval = edge.lines.send("T01", "INT", {"iv": 30_000})
    assert (interval.kind, interval.fields["iv"]) == ("A", 30_000)
    assert edge.lines.send("T01", "INT", {"iv": 5}).fields["ec"] == "range"
    village.ask("done", do="kill", node="T02")
    village.ask("done", do="start", node="T02")
    until(lambda: edge.collector.nodes()["T02"].reboots == 1)
    until(lambda: edge.collector.nodes()["T02"].frames > 4)
    first = min(frame.seq for frame in edge.frames if frame.node == "T01")
    for _ in range(20):  # a frame may be on the way between the two looks
        nodes = edge.collector.nodes()
        sent = village.ask("stats", do="stats")["nodes"]["T01"]["frames_sent"]
        if nodes["T01"].frames + nodes["T01"].gaps + first == sent:
            break
    assert nodes["T01"].frames + nodes["T01"].gaps + first == sent
    assert all(counters.bad == 0 for counters in nodes.values())
    edge.close()


def test_the_simulated_source_brings_a_village_and_ends_it(tmp_path: Path) -> None:
    edge = Edge(tmp_path, (PortConfig(kind="simulated"),), 100.0)
    until(lambda: len(edge.collector.nodes()) == 4, what="for four nodes")
    assert edge.lines.send("F01", "IDN", {}).node == "F01"
    until(lambda: edge.spool.depth() >= 4)
    edge.close()
