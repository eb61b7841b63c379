"""Probes: what they make of echoes, bytes, pulses, voltages and silence."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_scripts.hardware import Pairs, Probe
from firmware_scripts.probes.battery import Battery
from firmware_scripts.probes.flow import LAST, FlowMeter
from firmware_scripts.probes.pressure import Voltage
from firmware_scripts.probes.temperature import Thermometer, read_c100
from firmware_scripts.probes.ultrasonic import PulseSonar, SerialSonar


def measure(probe: Probe, on_wait: Callable[[int], None] = lambda _: None) -> tuple[Pairs, int, int]:
    """Pairs, flags and duration in ms of one measurement."""
    up_ms = 0
    probe.start(up_ms)
    while wait_ms := probe.poll(up_ms):
        up_ms += wait_ms
        on_wait(up_ms)
        assert up_ms < 5000
    return probe.pairs(), probe.flags(), up_ms


def pings(*echoes_us: int) -> Callable[[], int]:
    left: Iterator[int] = iter(echoes_us)
    return lambda: next(left)


@pytest.mark.parametrize(
    ("echoes_us", "distance_mm", "good", "flags"),
    [
        ((7300, 7310, 7290, 7305, 7295), 1241, 5, 0),
        ((7300, 30000, 7290, 7305, 2000), 1241, 5, 0),
        ((7300, -1, 7290, -2, 7295), 1240, 3, 0),
        ((-1, -1, 7290, -1, 7310), 1242, 2, 2),
        ((-2, -2, -2, -2, -2), None, 0, 1),
        ((10, 10, 0, 10, 10), None, 0, 1),
        ((36000, 36000, 36000, 36000, 36000), None, 0, 1),
        ((1320, 1320, 1320, 1320, 1320), 224, 5, 0),
    ],
    ids=[
        "calm",
        "two-wild",
        "two-missing",
        "few",
        "none",
        "brown-out",
        "too-far",
        "blind-zone-is-the-gateways-business",
    ],
)
def test_pulse_sonar(echoes_us: tuple[int, ...], distance_mm: int | None, good: int, flags: int) -> None:
    pairs, said, took_ms = measure(PulseSonar("", pings(*echoes_us)))
    assert pairs == [("ds", distance_mm), ("dq", good)]
    assert said == flags
    assert took_ms >= 4 * 60, "the echo of the last ping must have died"


class Line:
    """A serial module: gives what the test has queued, notes what it is asked."""

    def __init__(self) -> None:
        self.queue = b""
        self.asked = b""
        self.answer = b""

    def read(self) -> bytes | None:
        data, self.queue = self.queue, b""
        return data or None

    def write(self, data: bytes) -> int | None:
        self.asked += data
        self.queue += self.answer
        return len(data)


JSN = b"\xff\x07\xa1\xa7"
AJ = b"\xff\x07\xa1\xa8"


@pytest.mark.parametrize(
    ("sum_start", "sent", "distance_mm"),
    [
        (0xFF, JSN, 1953),
        (0, AJ, 1953),
        (0xFF, b"\xff\x07\xa1\xa6", None),
        (0, JSN, None),
        (0xFF, AJ, None),
        (0xFF, b"\xff\x00\xe0\xdf", 224),
        (0xFF, b"\x07\xa1\xa7" + JSN, 1953),
        (0xFF, b"\xff" + JSN, 1953),
        (0xFF, b"\xff\x07" + JSN, 1953),
        (0xFF, b"\xff\x00\xff\xfe", 255),
        (0xFF, b"\xff\x00\x00\xff", None),
        (0xFF, b"\xff\xff\xff\xfd", None),
        (0xFF, b"", None),
    ],
    ids=["jsn", "aj", "neither", "aj-hears-jsn", "jsn-hears-aj", "blind", "cut", "double", "half", "low-is-ff", "zero",
         "far", "silent"],
)  # fmt: skip
def test_serial_sonar_vectors(sum_start: int, sent: bytes, distance_mm: int | None) -> None:
    line = Line()
    sonar = SerialSonar("2", line, b"", sum_start)

    def feed(_up_ms: int) -> None:
        line.queue += sent

    pairs, flags, _ = measure(sonar, feed)
    assert dict(pairs)["ds2"] == distance_mm
    assert bool(flags) == (distance_mm is None)


@pytest.mark.parametrize(("ask", "sum_start", "answer"), [(b"\x55", 0xFF, JSN), (b"\x01", 0, AJ)])
def test_serial_sonar_is_asked(ask: bytes, sum_start: int, answer: bytes) -> None:
    line = Line()
    line.queue = b"\xff\x01\x00\x00"
    line.answer = answer
    pairs, flags, took_ms = measure(SerialSonar("", line, ask, sum_start))
    assert pairs == [("ds", 1953), ("dq", 5)]
    assert (line.asked, flags) == (ask * 5, 0)
    assert took_ms >= 4 * 60


def test_serial_sonar_that_does_not_answer_ends() -> None:
    pairs, flags, took_ms = measure(SerialSonar("", Line(), b"\x55", 0xFF))
    assert (pairs, flags) == ([("ds", None), ("dq", 0)], 1)
    assert took_ms < 1000


@given(st.binary(max_size=30), st.integers(250, 4500), st.integers(1, 5))
def test_serial_sonar_finds_its_frame_after_any_garbage(garbage: bytes, distance_mm: int, size: int) -> None:
    high, low = distance_mm >> 8, distance_mm & 0xFF
    frame = bytes([0xFF, high, low, (0xFF + high + low) & 0xFF])
    line = Line()
    sonar = SerialSonar("", line, b"", 0xFF)
    sonar.start(0)
    stream = garbage + frame * 12
    for at in range(0, len(stream), size):
        line.queue = stream[at : at + size]
        sonar.poll(0)
        assert len(sonar._held) < 4
    assert dict(sonar.pairs())["ds"] == distance_mm or sonar._heard >= 5


def test_flow_meter_counts_and_begins_anew_at_a_milliard() -> None:
    meter = FlowMeter("2")
    for _ in range(3):
        meter.on_edge(None)
    assert meter.pairs() == [("fp2", 3)]
    meter.count = LAST
    meter.on_edge(None)
    assert meter.count == 0


@pytest.mark.parametrize(
    ("raw", "mv", "flags"), [(0, 0, 0), (20000, 1007, 0), (65535, 3300, 8), (65399, 3293, 0), (65400, 3293, 8)]
)
def test_voltage(raw: int, mv: int, flags: int) -> None:
    pairs, said, took_ms = measure(Voltage("hd", lambda: raw))
    assert (pairs, said, took_ms) == ([("hd", mv)], flags, 0)


def test_battery_behind_a_divider() -> None:
    pairs, flags, _ = measure(Battery("", lambda: 40000, 100, 22))
    assert pairs == [("bv", 2014 * 122 // 22)]
    assert flags == 0


class Chip:
    def __init__(self, *, answers: bool = True, scratch: bytes | None = None) -> None:
        self.answers = answers
        self.scratch = scratch

    def convert(self) -> bool:
        return self.answers

    def read(self) -> bytes | None:
        return self.scratch


def scratchpad(sixteenths: int) -> bytes:
    sixteenths &= 0xFFFF
    return bytes([sixteenths & 0xFF, sixteenths >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10, 0])


@pytest.mark.parametrize(
    ("chip", "c100"),
    [
        (Chip(scratch=scratchpad(298)), 1862),
        (Chip(scratch=scratchpad(-1)), -7),
        (Chip(scratch=scratchpad(-880)), -5500),
        (Chip(scratch=scratchpad(2000)), 12500),
        (Chip(scratch=scratchpad(1360)), None),
        (Chip(scratch=scratchpad(3000)), None),
        (Chip(scratch=bytes(9)), None),
        (Chip(scratch=None), None),
        (Chip(answers=False), None),
    ],
    ids=["18.62", "just-below-zero", "coldest", "hottest", "power-up", "impossible", "shorted", "crc", "absent"],
)
def test_thermometer(chip: Chip, c100: int | None) -> None:
    pairs, flags, took_ms = measure(Thermometer("", chip))
    assert (pairs, flags) == ([("tw", c100)], 0 if c100 is not None else 4)
    assert took_ms >= 750 or not chip.answers


def test_a_short_scratchpad_is_no_temperature() -> None:
    assert read_c100(b"\x2a\x01") is None
