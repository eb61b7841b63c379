"""Whole nodes in a simulated village, over pseudo terminals and pyserial."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import serial

from firmware_scripts.frame import Decoder, Frame, encode_command
from firmware_scripts.hardware import Pairs
from tests.live.micropython.engines import need_installed
from tests.support.wait import until

FACTOR = 60
PROBES = [
    {"kind": "ds", "trig": 2, "echo": 3, "tank": "be", "face_m": 2.35},
    {"kind": "ds", "mode": "serial", "model": "jsn", "uart": 1, "tx": 4, "rx": 5, "tank": "be", "face_m": 2.45},
    {"kind": "fp", "pin": 6, "pipe": "out", "pulses_per_litre": 450},
    {"kind": "hd", "pin": 26, "pipe": "out", "full_scale_kpa": 1000},
    {"kind": "vs", "pin": 27},
    {"kind": "tw", "pin": 15},
    {"kind": "bv", "pin": 28, "top": 100, "bottom": 22},
]
SCENARIO = {
    "place": "here",
    "start_hour": 6,
    "air_c": [14, 24],
    "use_by_hour": [1] * 24,
    "tanks": {"be": {"area_m2": 1.5, "full_m": 2.0, "level_m": 1.0}},
    "pipes": {
        "in": {"to": "be", "lpm": 5},
        "out": {"from": "be", "lpm": 5, "drop_m": 30, "loss_m": 6, "loss_at_lpm": 20},
    },
    "nodes": {"T01": {"interval_ms": 5000, "probes": PROBES}},
}


class Village:
    """The village's program as a child; events by name."""

    def __init__(self, folder: Path, *options: str, scenario: dict[str, Any] | None = None) -> None:
        self.folder = folder
        path = folder / "scenario.json"
        path.write_text(json.dumps(scenario or SCENARIO))
        command = [sys.executable, "-m", "firmware_scripts.sim.village", "--links", str(folder / "ports")]
        command += ["--flash", str(folder / "flash"), "--factor", str(FACTOR), "--scenario", str(path), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()
        self.ready = self.wait("ready")

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._events.put(json.loads(line))

    def wait(self, name: str) -> dict[str, Any]:
        while True:
            event = self._events.get(timeout=20)
            if event["event"] == name:
                return event

    def tell(self, **said: Any) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(said).encode() + b"\n")
        self.process.stdin.flush()
        return self.wait("stats" if said["do"] == "stats" else "done")

    def stats(self) -> dict[str, Any]:
        return self.tell(do="stats")

    def port(self, node: str = "T01") -> "Port":
        return Port(str(self.folder / "ports" / node))

    def close(self) -> str:
        assert self.process.stdin
        assert self.process.stderr
        assert self.process.stdout
        self.process.stdin.close()
        status = self.process.wait(20)
        self._reader.join(20)
        self.process.stdout.close()
        words = self.process.stderr.read().decode()
        self.process.stderr.close()
        assert (status, words) == (0, "")
        return words


class Port:
    """A gateway's end of the cable."""

    def __init__(self, path: str) -> None:
        self.serial = serial.Serial(path, 115200, timeout=0.05, exclusive=True)
        self.decoder = Decoder()
        self.frames: list[Frame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.serial.close()

    def listen(self) -> list[Frame]:
        self.frames += self.decoder.feed(self.serial.read(self.serial.in_waiting or 1))
        return self.frames

    def expect(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The next frame that fits; those before it are dropped."""

        def look() -> Frame | None:
            self.listen()
            while self.frames:
                frame = self.frames.pop(0)
                if wanted(frame):
                    return frame
            return None

        frame = until(look, what="for a frame")
        assert frame
        return frame

    def ask(self, verb: str, pairs: Pairs | None = None, *, tag: int, node: str = "T01") -> Frame:
        self.serial.write(encode_command(node, tag, verb, pairs or []))
        return self.expect(lambda frame: frame.fields.get("tg") == tag)


@pytest.fixture(params=["micropython", "cpython"])
def village(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Village]:
    need_installed("micropython")
    made = Village(tmp_path, "--engine", request.param)
    yield made
    made.close()


def is_data(frame: Frame) -> bool:
    return frame.kind == "D"


def test_frames_tell_what_the_probes_see(village: Village) -> None:
    with village.port() as port:
        fields = [port.expect(is_data) for _ in range(4)][-1].fields
        assert list(fields)[:2] == ["ds", "dq"] or village.ready["engine"] == "micropython"
        assert set(fields) == {"ds", "dq", "ds2", "dq2", "fp", "hd", "vs", "tw", "bv", "er", "fl"}
        level_m = village.stats()["tanks"]["be"]["level_m"]
        assert abs(fields["ds"] - (2.35 - level_m) * 1000) < 20
        assert abs(fields["ds2"] - (2.45 - level_m) * 1000) < 20
        assert (fields["dq"], fields["dq2"], fields["fl"], fields["er"]) == (5, 5, 0, 0)
        assert 2490 <= fields["vs"] <= 2505
        head_m = (fields["hd"] / fields["vs"] - 0.1) / 0.8 * 1000 / 9.77
        assert abs(head_m - (30 + level_m - 6 * (5 / 20) ** 2)) < 0.3
        assert 1400 <= fields["tw"] <= 2400
        assert 12_000 <= fields["bv"] <= 13_500


def test_every_command(village: Village) -> None:
    with village.port() as port:
        port.expect(is_data)
        boot = port.ask("IDN", tag=1, node="*")
        assert (boot.kind, boot.node, boot.fields["hw"]) == ("B", "T01", "pico")
        assert is_data(port.ask("GET", tag=2))
        told = port.ask("INT", [("iv", 2000)], tag=3)
        assert (told.kind, told.fields["iv"]) == ("A", 2000)
        zero = port.ask("ZERO", [("ch", "hd")], tag=4)
        assert zero.kind == "A"
        repeat = port.ask("ZERO", [("ch", "hd")], tag=4)
        assert (repeat.fields["of"], repeat.seq > zero.seq) == (zero.fields["of"], True)
        assert port.ask("CAL", [("ch", "fp"), ("num", 1000), ("den", 450)], tag=5).kind == "A"
        assert port.ask("CFG", [("ch", "fp")], tag=6).fields["den"] == 450
        assert port.ask("INT", [("iv", 5)], tag=7).fields["ec"] == "range"
        assert port.ask("SING", tag=8).fields["ec"] == "verb"
        assert port.ask("DEF", tag=9).fields["iv"] == 5000
        assert port.ask("RBT", tag=10).kind == "A"
        again = port.expect(lambda frame: frame.kind == "B")
        assert (again.seq, again.fields["rc"]) == (0, "sw")
        village.wait("reset")


def test_a_damaged_command_gets_no_answer(village: Village) -> None:
    with village.port() as port:
        port.expect(is_data)
        port.serial.write(b"$WM1,C,T01,17,INT,iv=60001*28E8\r\n")
        port.expect(lambda frame: is_data(frame) and frame.fields["er"] == 1)
        port.serial.write(b"$WM1,C,T01,17,INT,iv=60000*28E8\r\n")
        assert port.expect(lambda frame: frame.fields.get("tg") == 17).fields["iv"] == 60000


def test_settings_survive_a_cut_of_the_power(village: Village) -> None:
    with village.port() as port:
        port.expect(is_data)
        port.ask("INT", [("iv", 3000)], tag=1)
        village.tell(do="kill", node="T01")
        village.tell(do="start", node="T01")
        boot = port.expect(lambda frame: frame.kind == "B")
        assert (boot.seq, boot.fields["iv"], boot.fields["rc"], boot.fields["bt"]) == (0, 3000, "pwr", 2)
        assert village.stats()["nodes"]["T01"]["boots"] == 2


def test_damaged_settings_give_the_factorys_and_a_flag(village: Village) -> None:
    with village.port() as port:
        port.expect(is_data)
        port.ask("INT", [("iv", 3000)], tag=1)
        village.tell(do="kill", node="T01")
        config = village.folder / "flash" / "T01" / "config.json"
        config.write_bytes(config.read_bytes()[:20])
        village.tell(do="start", node="T01")
        assert port.expect(lambda frame: frame.kind == "B").fields["iv"] == 5000
        flags = port.expect(is_data).fields["fl"]
        assert isinstance(flags, int)
        assert flags & 0x20


def test_kills_at_any_moment_leave_settings_whole(village: Village) -> None:
    with village.port() as port:
        port.expect(is_data)
        for interval_ms in range(2000, 2010):
            port.ask("INT", [("iv", interval_ms)], tag=interval_ms)
            village.tell(do="kill", node="T01")
            village.tell(do="start", node="T01")
            boot = port.expect(lambda frame: frame.kind == "B")
            assert boot.fields["iv"] == interval_ms


def test_a_pulled_cable_comes_back(village: Village) -> None:
    with village.port() as port:
        before = port.expect(is_data)
        village.tell(do="unplug", node="T01")
        with pytest.raises((serial.SerialException, OSError)):
            until(lambda: port.listen() and None, what="for the cable to be gone")
        assert not (village.folder / "ports" / "T01").exists()
    village.tell(do="plug", node="T01")
    with village.port() as port:
        after = port.expect(is_data)
        assert after.seq > before.seq
        assert port.decoder.bad == 0


def test_what_is_sent_while_nobody_listens_is_lost_and_seen_in_the_sequence(village: Village) -> None:
    with village.port() as port:
        before = port.expect(is_data)
    sent = village.stats()["nodes"]["T01"]["frames_sent"]
    until(lambda: village.stats()["nodes"]["T01"]["frames_sent"] >= sent + 5)
    with village.port() as port:
        after = port.expect(is_data)
        assert port.decoder.bad == 0
        assert after.seq - before.seq >= 5
        assert after.seq == after.up_ms // 5000 + 1


def test_frames_sent_are_those_that_arrive_and_noise_costs_one_each(village: Village) -> None:
    with village.port() as port:
        first = port.expect(is_data)
        sent_before = village.stats()["nodes"]["T01"]["frames_sent"]
        village.tell(do="noise", node="T01", rate=0.004)
        heard: list[Frame] = []
        while (stats := village.stats()["nodes"]["T01"])["frames_sent"] < sent_before + 60:
            heard += port.listen()
            port.frames = []
        village.tell(do="noise", node="T01", rate=0)
        last = port.expect(lambda frame: is_data(frame) and frame.up_ms > 5000 * (sent_before + 62))
        damages = village.stats()["nodes"]["T01"]["damages"]
        lost = (last.seq - first.seq) - len({frame.seq for frame in heard if frame.seq > first.seq}) - 1
        assert damages > 0
        assert stats["bytes_dropped"] >= 0
        assert lost <= damages + 4


def stop_the_flow(village: Village, port: Port) -> tuple[dict[str, Any], Frame]:
    """Statistics and a frame that both come after the last pulse."""
    village.tell(do="set", asset="T01", outflow_lpm=0)
    until(lambda: village.stats()["pipes"]["out"]["flow_lpm"] == 0)
    stats = village.stats()
    return stats, port.expect(lambda frame: is_data(frame) and frame.up_ms > stats["village_s"] * 1000 + 10_000)


def test_water_is_conserved_and_pulses_tell_its_volume(village: Village) -> None:
    with village.port() as port:
        start, first = stop_the_flow(village, port)
        village.tell(do="set", asset="be", inflow_lpm=40, outflow_lpm=20)
        until(lambda: village.stats()["pipes"]["out"]["passed_l"] > start["pipes"]["out"]["passed_l"] + 40)
        end, last = stop_the_flow(village, port)
        tank = end["tanks"]["be"]
        assert abs(tank["in_l"] - tank["out_l"] - tank["spilled_l"] - (tank["volume_l"] - 1500)) < 0.01
        assert abs(end["pipes"]["out"]["passed_l"] - tank["out_l"]) < 0.01
        first_pulses, last_pulses = first.fields["fp"], last.fields["fp"]
        assert isinstance(first_pulses, int)
        assert isinstance(last_pulses, int)
        total = end["nodes"]["T01"]["pulses_total"]
        assert abs(total - tank["out_l"] * 450) < 2
        assert last_pulses - first_pulses == total - start["nodes"]["T01"]["pulses_total"]


def test_the_builtin_village(tmp_path: Path) -> None:
    links = tmp_path / "ports"
    command = [sys.executable, "-m", "firmware_scripts.sim.village", "--links", str(links), "--factor", "600"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert set(ready["nodes"]) == {"T01", "T02", "F01", "L01"}
    assert ready["place"] == "lung-sau"
    for node in ready["nodes"]:
        with Port(str(links / node)) as port:
            assert port.expect(is_data).node == node
    process.stdin.write(b'nonsense\n{"do": "kill", "node": "X"}\n{"do": "fly"}\n')
    process.stdin.flush()
    assert [json.loads(process.stdout.readline())["event"] for _ in range(3)] == ["error"] * 3
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
    assert list(links.iterdir()) == []
