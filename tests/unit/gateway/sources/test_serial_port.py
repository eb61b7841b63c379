"""Serial ports on real pseudo terminals: pulled, plugged, noisy, taken, silent."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from firmware_scripts.frame import Decoder, Frame, encode
from firmware_scripts.sim.cable import Cable
from gateway.sources import NoAnswerError, UnknownNodeError
from gateway.sources.discover import PortPattern
from gateway.sources.recording import Recorder, read_recording
from gateway.sources.replay import Replay
from gateway.sources.serial_port import Patience, SerialPort
from tests.support.wait import until

QUICK = Patience(retry_s=0.02, longest_retry_s=0.1, quiet_s=0.2, answer_s=0.1, interval_s=0.02)
SLOW_TO_ASK = Patience(retry_s=0.02, longest_retry_s=0.1, quiet_s=60, answer_s=0.15)


class Bench:
    """A cable, what the port hears over it, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "port"
        self.cable = Cable(self.path, random.Random(1))
        self.frames: list[Frame] = []
        self.bad = 0
        self.asked: list[Frame] = []
        self._commands = Decoder(64)
        self.deaf = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer)
        self.seq = 0

    def hear(self, frame: Frame, at_ms: int | None) -> None:
        self.frames.append(frame)

    def note_bad(self, node: str, lines: int) -> None:
        self.bad += lines

    def say(self, kind: str = "D", **fields: int | str | None) -> None:
        self.cable.write(encode(kind, "T01", self.seq, self.seq * 10, list(fields.items())))
        self.seq += 1

    def say_until_heard(self) -> None:
        count = len(self.frames)

        def heard() -> bool:
            self.say()
            return len(self.frames) > count

        until(heard, what="for a frame")

    def start(self) -> None:
        self.cable.plug()
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self.cable.unplug()

    def _answer(self) -> None:
        while not self._over.wait(0.005):
            for frame in self._commands.feed(self.cable.read()):
                self.asked.append(frame)
                if not self.deaf:
                    self.say("B" if frame.verb == "IDN" else "A", tg=frame.tag)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.start()
    yield made
    made.end()


def _open(bench: Bench, patience: Patience = SLOW_TO_ASK, recorder: Recorder | None = None) -> SerialPort:
    port = SerialPort(str(bench.path), bench.hear, bench.note_bad, patience=patience, recorder=recorder)
    port.start()
    return port


def test_who_is_there_is_asked_at_opening_and_bound_to_the_port(bench: Bench) -> None:
    port = _open(bench)
    state = until(lambda: [state for state in port.states() if state.nodes])[0]
    assert (state.nodes, state.open, state.trouble) == ({"T01"}, True, "")
    assert bench.asked[0].node == "*"
    port.close()
    assert not port.states()[0].open


def test_a_pulled_cable_is_waited_for_under_its_name(bench: Bench) -> None:
    port = _open(bench)
    bench.say_until_heard()
    for _ in range(3):
        bench.cable.unplug()
        until(lambda: not port.states()[0].open)
        with pytest.raises(UnknownNodeError):
            port.send("T01", "GET", {})
        bench.cable.plug()
        until(lambda: port.states()[0].open)
        bench.say_until_heard()
    assert port.states()[0].opened == 4
    port.close()


def test_a_port_that_is_not_there_yet_is_opened_when_it_comes(bench: Bench) -> None:
    bench.cable.unplug()
    port = _open(bench)
    until(lambda: "not there" in port.states()[0].trouble)
    bench.cable.plug()
    until(lambda: port.states()[0].nodes)
    port.close()


def test_a_port_is_opened_for_one_program_only(bench: Bench) -> None:
    port = _open(bench)
    bench.say_until_heard()
    with pytest.raises(serial.SerialException):
        serial.Serial(str(bench.path), exclusive=True)
    second = SerialPort(str(bench.path), bench.hear, bench.note_bad, patience=QUICK)
    second.start()
    until(lambda: "in use by another program" in second.states()[0].trouble)
    second.close()
    port.close()


def test_listening_begins_in_mid_frame_and_noise_costs_no_good_frame(bench: Bench) -> None:
    port = _open(bench)
    bench.say_until_heard()
    bench.frames.clear()
    bench.cable.write(b"34,ds=1*00AA\r\nTraceback (most recent call last):\r\n$WM1,D,T0")
    bench.say(ds=7)
    until(lambda: [frame for frame in bench.frames if frame.fields.get("ds") == 7])
    until(lambda: bench.bad == 1)
    port.close()


def test_a_command_is_answered_and_repeated_with_the_same_tag(bench: Bench) -> None:
    port = _open(bench)
    bench.say_until_heard()
    answer = port.send("T01", "INT", {"iv": 60000})
    assert answer.kind == "A"
    bench.deaf = True
    bench.asked.clear()
    with pytest.raises(NoAnswerError):
        port.send("T01", "RBT", {})
    until(lambda: len(bench.asked) == 3)
    assert len({frame.tag for frame in bench.asked}) == 1
    with pytest.raises(UnknownNodeError):
        port.send("T02", "GET", {})
    with pytest.raises(ValueError, match="not a WM1 line"):
        port.send("T01", "no verb", {})
    port.close()


def test_a_silent_node_is_asked_three_times_then_the_port_is_opened_anew(bench: Bench) -> None:
    bench.deaf = True
    port = _open(bench, QUICK)
    until(lambda: port.states()[0].opened >= 2)
    assert len(bench.asked) >= 4
    assert "nobody has answered" in port.states()[0].trouble
    bench.deaf = False
    until(lambda: port.states()[0].nodes)
    port.close()


def test_a_pattern_opens_what_matches_now_and_later(bench: Bench, tmp_path: Path) -> None:
    other = Cable(tmp_path / "portal", random.Random(2))

    def make(path: str) -> SerialPort:
        return SerialPort(path, bench.hear, bench.note_bad, patience=SLOW_TO_ASK)

    ports = PortPattern(f"{tmp_path}/por*[!w]", make, look_every_s=0.02)
    assert "no such port" in ports.states()[0].trouble
    ports.start()
    until(lambda: [state for state in ports.states() if state.nodes])
    other.plug()
    until(lambda: sum(state.open for state in ports.states()) == 2)
    assert ports.send("T01", "GET", {}).kind == "A"
    ports.close()
    other.unplug()


def test_what_is_recorded_can_be_played_again(bench: Bench, tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    ticks = iter(range(1_790_000_000_000, 1_800_000_000_000, 250))
    recorder = Recorder(log, lambda: next(ticks))
    port = _open(bench, recorder=recorder)
    bench.say_until_heard()
    bench.cable.write(b"\xff noise\r\n$WM1,D,broken*0000\r\n")
    until(lambda: bench.bad == 1)
    port.close()
    recorder.close()
    played: list[tuple[Frame, int | None]] = []
    bad: list[int] = []
    replay = Replay(log, lambda frame, at_ms: played.append((frame, at_ms)), lambda _, lines: bad.append(lines), 0)
    replay.start()
    assert replay.ended.wait(5)
    replay.close()
    assert [frame for frame, _ in played] == bench.frames
    assert [at_ms for _, at_ms in played] == sorted(at_ms for _, at_ms in played if at_ms)
    assert sum(bad) == 1
    assert all(line.at_ms for line in read_recording(log))


@pytest.mark.parametrize("path", ["/dev/full", "/nowhere/field.log"])
def test_a_log_that_cannot_be_written_costs_no_reading(bench: Bench, path: str) -> None:
    recorder = Recorder(Path(path), lambda: 1_790_000_000_000)
    recorder.write(b"#" * 20_000 + b"\n")
    port = _open(bench, recorder=recorder)
    for _ in range(3):
        bench.say_until_heard()
    assert [state.opened for state in port.states()] == [1]
    port.close()
    recorder.close()


def test_ports_that_share_a_log_do_not_cut_each_others_lines(tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    recorder = Recorder(log, lambda: 1_790_000_000_000)
    for data, port in ((b"one be", "a"), (b"two be", "b"), (b"gun\r\n", "a"), (b"gun too\n", "b")):
        recorder.write(data, port)
    recorder.close()
    assert [line.data for line in read_recording(log)] == [b"one begun", b"two begun too"]
