"""A Raspberry Pi Pico: pins, converter, lines, clock, watchdog; the only module that imports `machine`."""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

import os
import select
import sys
from time import sleep_us, ticks_diff, ticks_ms  # type: ignore[attr-defined]  # MicroPython has more in it

import machine
import micropython
import onewire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_scripts.hardware import OneWire, Ping, ReadU16, Stream

WATCHDOG_MS = 8000
"""Of 8388 at most on this chip; a blocked USB write may take 500 ms."""
ECHO_LIMIT_US = 36_000
"""6.1 m; a module without an echo gives up after 40 to 60 ms."""
SKIP_ROM, CONVERT, READ_SCRATCHPAD = 0xCC, 0x44, 0xBE


class StdioLink:
    """The USB plug, shared with Python's own prompt."""

    def __init__(self) -> None:
        self._ready = select.poll()
        self._ready.register(sys.stdin, select.POLLIN)

    def read(self) -> bytes | None:
        data = b""
        while len(data) < 256 and self._ready.poll(0):  # a longer read would wait for more
            data += sys.stdin.buffer.read(1)
        return data

    def write(self, data: bytes) -> int | None:
        return sys.stdout.buffer.write(data)


class Wire:
    """One DS18B20 by itself on a 1-Wire line, so that it needs no address."""

    def __init__(self, pin: int) -> None:
        self._line = onewire.OneWire(machine.Pin(pin))

    def convert(self) -> bool:
        return self._ask(CONVERT)

    def read(self) -> bytes | None:
        scratch = bytearray(9)
        if not self._ask(READ_SCRATCHPAD):
            return None
        self._line.readinto(scratch)
        return None if self._line.crc8(scratch) else bytes(scratch)

    def _ask(self, command: int) -> bool:
        try:
            self._line.reset(True)
        except onewire.OneWireError:
            return False
        self._line.writebyte(SKIP_ROM)
        self._line.writebyte(command)
        return True


class Pico:
    """The board; see `hardware.Board` and `hardware.Pins`."""

    name = "pico"

    def __init__(self) -> None:
        self._watchdog: machine.WDT | None = None
        self._led: machine.Pin | None = None
        self._wake = select.poll()

    def open_link(self, link: "dict[str, object]") -> "Stream":
        """The line to the gateway: {"kind": "stdio"} or {"kind": "uart", "uart", "tx", "rx", "baud"}."""
        if link.get("kind") == "stdio":
            self._wake.register(sys.stdin, select.POLLIN)
            return StdioLink()
        uart = machine.UART(
            int(str(link.get("uart", 0))),
            int(str(link.get("baud", 115200))),
            tx=machine.Pin(int(str(link.get("tx", 0)))),
            rx=machine.Pin(int(str(link.get("rx", 1)))),
            rxbuf=256,
            txbuf=512,
            timeout=0,
        )
        self._wake.register(uart, select.POLLIN)
        return uart

    def ticks_ms(self) -> int:
        return int(ticks_ms())

    def ticks_diff(self, later: int, earlier: int) -> int:
        return int(ticks_diff(later, earlier))

    def idle(self, wait_ms: int) -> None:
        """Sleep until `wait_ms` have passed or the gateway has sent a byte."""
        self._wake.poll(wait_ms)

    def start_watchdog(self) -> None:
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed(self) -> None:
        if self._watchdog is not None:
            self._watchdog.feed()

    def reset(self) -> None:
        machine.reset()

    def was_reset_by_watchdog(self) -> bool:
        """True also after `reset`, which uses the watchdog on this chip."""
        return machine.reset_cause() == machine.WDT_RESET

    def unique_id(self) -> str:
        return "".join(["%02X" % byte for byte in machine.unique_id()])

    def led(self, on: bool) -> None:
        if self._led is None:
            self._led = machine.Pin("LED", machine.Pin.OUT)
        self._led.value(int(on))

    def sync(self) -> None:
        """Empty the file system's cache into the flash."""
        if hasattr(os, "sync"):
            os.sync()

    def keep_running(self) -> None:
        """From now on no byte on the USB plug can stop the program."""
        micropython.kbd_intr(-1)

    def echo(self, trig: int, echo: int) -> "Ping":
        trigger = machine.Pin(trig, machine.Pin.OUT, value=0)
        answer = machine.Pin(echo, machine.Pin.IN)

        def ping() -> int:
            trigger.value(1)
            sleep_us(20)
            trigger.value(0)
            return machine.time_pulse_us(answer, 1, ECHO_LIMIT_US)

        return ping

    def stream(self, uart: int, tx: int, rx: int, baud: int) -> "Stream":
        return machine.UART(uart, baud, tx=machine.Pin(tx), rx=machine.Pin(rx), rxbuf=64, timeout=0)

    def count_edges(self, pin: int, handler: "Callable[[object], None]") -> None:
        line = machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
        line.irq(handler, machine.Pin.IRQ_FALLING, hard=True)

    def adc(self, pin: int) -> "ReadU16":
        return machine.ADC(pin).read_u16

    def one_wire(self, pin: int) -> "OneWire":
        return Wire(pin)
