"""Distance to the water by JSN-SR04T or AJ-SR04M, by echo pulse or by serial line.

Distances are what the module itself means: sound at 340 m/s. The gateway corrects for temperature and judges the
blind zone; only echoes that no tank can give are dropped here.
"""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Pairs, Ping, Stream

BURST = 5
"""Echoes in one measurement."""
PING_GAP_MS = 60
"""Least time between two pings, so that the echo of the last has died."""
LEAST_MM = 20
"""A module that starves for current gives echoes of 10 microseconds (2 mm)."""
MOST_MM = 6000
NO_ECHO = 0x01
FEW_ECHOES = 0x02


class Ultrasonic:
    """The median of a burst: `ds` in mm (None: no echo), `dq` good echoes 0..5."""

    def __init__(self, number: str) -> None:
        """`number` is "" for the first of a node, "2" for its second."""
        self._number = number
        self._good_mm: list[int] = []

    def pairs(self) -> "Pairs":
        good = sorted(self._good_mm)
        median_mm = good[len(good) // 2] if good else None
        return [("ds" + self._number, median_mm), ("dq" + self._number, len(good))]

    def flags(self) -> int:
        if not self._good_mm:
            return NO_ECHO
        return FEW_ECHOES if len(self._good_mm) <= BURST // 2 else 0

    def _keep(self, distance_mm: int) -> None:
        if LEAST_MM <= distance_mm <= MOST_MM:
            self._good_mm.append(distance_mm)


class PulseSonar(Ultrasonic):
    """A module that holds its echo line high for as long as the sound was under way."""

    def __init__(self, number: str, ping: "Ping") -> None:
        Ultrasonic.__init__(self, number)
        self._ping = ping
        self._left = 0
        self._next_ms = 0

    def start(self, up_ms: int) -> None:
        self._good_mm = []
        self._left = BURST
        self._next_ms = up_ms

    def poll(self, up_ms: int) -> int:
        if not self._left:
            return 0
        if up_ms < self._next_ms:
            return self._next_ms - up_ms
        self._left -= 1
        self._next_ms = up_ms + PING_GAP_MS
        echo_us = self._ping()
        if echo_us > 0:
            self._keep(echo_us * 17 // 100)
        return PING_GAP_MS if self._left else 0


class SerialSonar(Ultrasonic):
    """A module that sends `FF high low sum`, by itself every 100 ms or when it is asked.

    The JSN-SR04T adds the FF to its sum, the AJ-SR04M does not (some boards sold under that name do: `sum` in the
    wiring says so). The JSN is asked with 55, the AJ with 01.
    """

    ASK_GAP_MS = 100
    LONGEST_MS = 900

    def __init__(self, number: str, stream: "Stream", ask: bytes, sum_start: int) -> None:
        """`ask` is b"" for a module that sends by itself; `sum_start` is what its checksum begins with."""
        Ultrasonic.__init__(self, number)
        self._stream = stream
        self._ask = ask
        self._sum_start = sum_start
        self._held = b""
        self._heard = BURST
        self._asked = 0
        self._next_ms = 0
        self._end_ms = 0

    def start(self, up_ms: int) -> None:
        self._good_mm = []
        self._stream.read()  # what came before belongs to the past
        self._held = b""
        self._heard = 0
        self._asked = 0
        self._next_ms = up_ms
        self._end_ms = up_ms + self.LONGEST_MS

    def poll(self, up_ms: int) -> int:
        self._take(self._stream.read() or b"")
        if self._heard >= BURST or up_ms >= self._end_ms:
            return 0
        if self._ask and up_ms >= self._next_ms:
            if self._asked == BURST:
                return 0
            self._asked += 1
            self._next_ms = up_ms + self.ASK_GAP_MS
            self._stream.write(self._ask)
        return 20

    def _take(self, data: bytes) -> None:
        held = self._held + data
        while len(held) >= 4 and self._heard < BURST:
            if held[0] == 0xFF and (self._sum_start + held[1] + held[2]) & 0xFF == held[3]:
                self._heard += 1
                self._keep(held[1] << 8 | held[2])
                held = held[4:]
            else:
                held = held[1:]
        self._held = held[-3:]
