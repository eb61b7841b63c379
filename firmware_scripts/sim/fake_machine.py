"""MicroPython's `machine` and `onewire` in a simulated node, as far as board.py uses them."""

import sys

from firmware_scripts.sim.fake_time import sleep_us
from firmware_scripts.sim.world import JITTER_RAW, JITTER_US, RESET_STATUS, WORLD, real_us

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

PWRON_RESET = 1
WDT_RESET = 3


class Pin:
    """A pin that remembers its level and who is to be told of its edges."""

    IN, OUT, PULL_UP, IRQ_FALLING, IRQ_RISING = 0, 1, 1, 4, 8

    def __init__(self, pin: "int | str", mode: int = -1, pull: int = -1, value: "int | None" = None) -> None:
        if isinstance(pin, int) and not 0 <= pin <= 29:
            raise ValueError("invalid pin")
        self.number = str(pin)
        self.mode = mode
        self.pull = pull
        self._level = value or 0

    def value(self, level: "int | None" = None) -> int:
        """Read the level, or set it."""
        if level is not None:
            self._level = level
        return self._level

    def irq(self, handler: "Callable[[object], None]", trigger: int = 0, hard: bool = False) -> None:  # noqa: ARG002
        """Call `handler` at each pulse that the world sends."""
        WORLD.handlers[self.number] = handler


def time_pulse_us(pin: Pin, _level: int, timeout_us: int) -> int:
    """The echo that the world returns; -2 when none begins, -1 when it does not end in time."""
    echo_us = WORLD.echo_us.get(pin.number)
    if echo_us is None:
        sleep_us(timeout_us)
        return -2
    echo_us = max(0, echo_us + WORLD.jitter(JITTER_US))
    sleep_us(min(echo_us, timeout_us))
    return echo_us if echo_us < timeout_us else -1


class ADC:
    """A converter input with a millivolt of noise."""

    def __init__(self, pin: int) -> None:
        if pin not in {26, 27, 28, 29}:
            raise ValueError("Pin doesn't have ADC capabilities")
        self._pin = str(pin)

    def read_u16(self) -> int:
        """One conversion, 0..65535."""
        return max(0, min(65535, WORLD.adc.get(self._pin, 0) + WORLD.jitter(JITTER_RAW)))


class UART:
    """The link to the gateway, or an ultrasonic module where the world knows one on this UART."""

    def __init__(self, number: int, _baud: int = 115200, **_options: object) -> None:
        self._number = str(number)
        self._sonar = WORLD.sonar_model.get(self._number)
        self.stream: "BinaryIO | None" = None if self._sonar else WORLD.link
        self._due_us = -1
        self._asked_at_us = -1

    def read(self) -> "bytes | None":
        """What has come."""
        if self._sonar is not None:
            return self._read_sonar(*self._sonar)
        return None if self.stream is None else self.stream.read(512)

    def write(self, data: bytes) -> "int | None":
        """Send; a module that is asked answers 30 ms later."""
        if self._sonar is not None:
            asked = data == (b"\x55" if self._sonar[0] == "jsn" else b"\x01")
            self._asked_at_us = WORLD.now_us() + 30_000 if asked else -1
            return len(data)
        return len(data) if self.stream is None else self.stream.write(data)

    def _read_sonar(self, model: str, ask: bool) -> "bytes | None":
        now_us = WORLD.now_us()
        if ask:
            if self._asked_at_us < 0 or now_us < self._asked_at_us:
                return None
            self._asked_at_us = -1
        elif now_us < self._due_us:
            return None
        self._due_us = now_us + 100_000
        distance_mm = WORLD.sonar_mm.get(self._number)
        if distance_mm is None:
            return None
        high, low = distance_mm >> 8, distance_mm & 0xFF
        return bytes([0xFF, high, low, (high + low + (0xFF if model == "jsn" else 0)) & 0xFF])


class WDT:
    """A watchdog that bites when it is fed too late (by the node's time, at least by the machine's)."""

    def __init__(self, timeout: int = 5000) -> None:
        self._timeout_us = timeout * 1000
        self._fed_at_us = real_us() if WORLD.factor else WORLD.now_us()

    def feed(self) -> None:
        """All is well."""
        now_us = real_us() if WORLD.factor else WORLD.now_us()
        if now_us - self._fed_at_us > self._timeout_us:
            reset()
        self._fed_at_us = now_us


def reset() -> None:
    """End this process; whoever started it starts it again."""
    sys.exit(RESET_STATUS)


def reset_cause() -> int:
    """Why the node started."""
    return PWRON_RESET if WORLD.reset_cause == "pwr" else WDT_RESET


def unique_id() -> bytes:
    """The chip's number."""
    return WORLD.unique_id


class OneWireError(Exception):
    """No chip answers on the line."""


class OneWire:
    """A line with one DS18B20."""

    def __init__(self, pin: Pin) -> None:
        self._pin = pin.number

    def reset(self, required: bool = False) -> bool:
        """Whether a chip is present."""
        present = WORLD.c100.get(self._pin) is not None
        if required and not present:
            raise OneWireError
        return present

    def writebyte(self, value: int) -> None:
        """A command; the line has one chip, and it answers with its scratchpad anyway."""

    def readinto(self, scratch: bytearray) -> None:
        """The scratchpad: temperature in sixteenths of a degree, configuration, CRC."""
        said = WORLD.c100.get(self._pin)
        sixteenths = (said if isinstance(said, int) else 2000) * 4 // 25 & 0xFFFF
        scratch[:8] = bytes([sixteenths & 0xFF, sixteenths >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10])
        scratch[8] = self.crc8(scratch[:8]) ^ (1 if said == "crc" else 0)

    def crc8(self, data: "bytes | bytearray") -> int:
        """The chip's CRC; 0 over data that ends in a right one."""
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc
