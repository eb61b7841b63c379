"""What the node's program asks of the hardware, as types; read by mypy, never copied to a board."""

from collections.abc import Callable
from typing import Protocol

Value = int | str | None
Pairs = list[tuple[str, Value]]
ReadU16 = Callable[[], int]
"""One conversion of an analogue input, 0..65535 of its 3.3 V range."""
Ping = Callable[[], int]
"""One echo time in microseconds, negative when none came."""


class Stream(Protocol):
    """A serial line: `read` gives what has come, None when nothing has; neither call waits."""

    def read(self) -> bytes | None:
        """Bytes that have come."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send; the number of bytes taken."""
        ...


class OneWire(Protocol):
    """A DS18B20 on its wire; both calls give False or None when it does not answer or its CRC is wrong."""

    def convert(self) -> bool:
        """Begin to measure."""
        ...

    def read(self) -> bytes | None:
        """The nine bytes of the scratchpad."""
        ...


class Probe(Protocol):
    """One measuring device; a node holds any number and never waits for one."""

    def start(self, up_ms: int) -> None:
        """Begin a measurement."""

    def poll(self, up_ms: int) -> int:
        """Go on with it; milliseconds until it wants to be asked again, 0 when it is done."""
        ...

    def pairs(self) -> Pairs:
        """Keys and values of the last measurement; None: tried and failed."""
        ...

    def flags(self) -> int:
        """What the last measurement adds to `fl`."""
        ...


class Board(Protocol):
    """What the superloop needs of the board."""

    name: str

    def ticks_ms(self) -> int:
        """Milliseconds that begin anew after 2**30."""
        ...

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Milliseconds between two ticks, right across the wrap when they are less than 2**29 apart."""
        ...

    def unique_id(self) -> str:
        """The chip's number, hexadecimal digits."""
        ...

    def led(self, on: bool) -> None:
        """Switch the board's light."""

    def feed(self) -> None:
        """Tell the watchdog that all is well."""

    def reset(self) -> None:
        """Start the board again; does not return."""


class Pins(Protocol):
    """What the probes need of the board: one call for each way to be wired."""

    def echo(self, trig: int, echo: int) -> Ping:
        """A module with a trigger and an echo line."""
        ...

    def stream(self, uart: int, tx: int, rx: int, baud: int) -> Stream:
        """A probe on a serial line."""
        ...

    def count_edges(self, pin: int, handler: Callable[[object], None]) -> None:
        """Call `handler` in a hard interrupt at each falling edge; the pin is pulled up."""

    def adc(self, pin: int) -> ReadU16:
        """An analogue input."""
        ...

    def one_wire(self, pin: int) -> OneWire:
        """A line with one DS18B20."""
        ...
