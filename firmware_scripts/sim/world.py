"""What surrounds one simulated node: time, voltages, echoes, pulses, a thermometer.

The village (or a test) sets it by JSON lines on a socket, any of:

    {"echo_us": {"3": 7300}, "adc": {"26": 12000}, "pulses": {"6": 1834}, "c100": {"15": 1862}, "sonar_mm": {"1": 900}}

by pin (`sonar_mm`: by UART). `pulses` are a total; the handler is called for each pulse more. null is no answer: no
echo, no chip. In `c100` "crc" damages the chip's answer. The socket's end is the node's end.
"""

import json
import sys
import time

ON_MICROPYTHON = sys.implementation.name == "micropython"
if ON_MICROPYTHON:
    import micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

RESET_STATUS = 75
"""Exit status of a node that has asked for a reset, or that its watchdog resets."""
TICKS_PERIOD = 1 << 30
JITTER_US = 12
"""Echoes of a ruffled surface differ by 2 mm."""
JITTER_RAW = 24
"""Conversions differ by 1 mV."""


def real_us() -> int:
    """A clock of the machine that only goes forward."""
    if ON_MICROPYTHON:
        return int(REAL_TICKS_US())
    return time.monotonic_ns() // 1000


REAL_TICKS_US = getattr(time, "ticks_us", None) or time.monotonic_ns
"""Taken here, before `time` is replaced."""


class World:
    """Time and pins of one node.

    Attributes:
        factor: seconds of the node in one second of the machine; 0: time moves only when the node sleeps.
        advance: called after time has moved in a world of factor 0.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self.socket: "BinaryIO | None" = None
        self.link: "BinaryIO | None" = None
        self.advance: "Callable[[], None] | None" = None
        self.reset_cause = "pwr"
        self.unique_id = b"SIMNODE0"
        self.echo_us: dict[str, int | None] = {}
        self.adc: dict[str, int] = {}
        self.c100: dict[str, int | str | None] = {}
        self.sonar_mm: dict[str, int | None] = {}
        self.sonar_model: dict[str, tuple[str, bool]] = {}
        self.handlers: dict[str, "Callable[[object], None]"] = {}
        self._pulses: dict[str, int] = {}
        self._held = b""
        self._real_start_us = real_us()
        self._moved_us = 0
        self._dice = 1

    def begin_at(self, ticks_ms: int) -> None:
        """Let the tick counter begin at `ticks_ms`."""
        self._moved_us += ticks_ms * 1000

    def now_us(self) -> int:
        """The node's time in microseconds, without a wrap."""
        if not self.factor:
            return self._moved_us
        return self._moved_us + int((real_us() - self._real_start_us) * self.factor)

    def move(self, us: int) -> None:
        """Let time pass in a world of factor 0."""
        self._moved_us += us
        if self.advance is not None:
            self.advance()

    def jitter(self, width: int) -> int:
        """-width..width, the same sequence in each run."""
        self._dice = (self._dice * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._dice >> 16) % (2 * width + 1) - width

    def listen(self) -> None:
        """Take what has been said on the socket."""
        if self.socket is None:
            return
        data = self.socket.read(1024)
        if data == b"":
            sys.exit(0)
        lines = (self._held + (data or b"")).split(b"\n")
        self._held = lines.pop()
        for line in lines:
            self.set(json.loads(line))

    def set(self, said: "dict[str, dict[str, int | None]]") -> None:
        """Change what the node can measure."""
        self.echo_us.update(said.get("echo_us", {}))
        self.adc.update(said.get("adc", {}))  # type: ignore[arg-type]  # a voltage is never null
        self.c100.update(said.get("c100", {}))
        self.sonar_mm.update(said.get("sonar_mm", {}))
        for pin, total in said.get("pulses", {}).items():
            self._pulse(pin, total or 0)

    def _pulse(self, pin: str, total: int) -> None:
        before = self._pulses.get(pin)
        self._pulses[pin] = total
        handler = self.handlers.get(pin)
        if before is None or handler is None:
            return
        self.fire(handler, total - before)

    def fire(self, handler: "Callable[[object], None]", times: int) -> None:
        """Call an interrupt handler as a hard interrupt does: with the heap locked."""
        if ON_MICROPYTHON:
            micropython.heap_lock()
            for _ in range(times):
                handler(None)
            micropython.heap_unlock()
        else:
            for _ in range(times):
                handler(None)


WORLD = World()
