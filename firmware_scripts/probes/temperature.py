"""Water temperature `tw` by DS18B20, in hundredths of a degree."""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import OneWire, Pairs

CONVERSION_MS = 800
"""The chip needs up to 750 ms at 12 bits."""
POWER_UP_C100 = 8500
"""What the chip says before its first conversion: 85 degrees, never a water temperature."""
NO_THERMOMETER = 0x04


class Thermometer:
    """None: no chip on the wire, a wrong CRC, or the value it holds after power-up."""

    def __init__(self, number: str, wire: "OneWire") -> None:
        self._key = "tw" + number
        self._wire = wire
        self._ready_ms = 0
        self._waiting = False
        self._c100: int | None = None

    def start(self, up_ms: int) -> None:
        self._c100 = None
        self._waiting = self._wire.convert()
        self._ready_ms = up_ms + CONVERSION_MS

    def poll(self, up_ms: int) -> int:
        if not self._waiting:
            return 0
        if up_ms < self._ready_ms:
            return self._ready_ms - up_ms
        self._waiting = False
        scratch = self._wire.read()
        self._c100 = None if scratch is None else read_c100(scratch)
        return 0

    def pairs(self) -> "Pairs":
        return [(self._key, self._c100)]

    def flags(self) -> int:
        return NO_THERMOMETER if self._c100 is None else 0


def read_c100(scratch: bytes) -> "int | None":
    """Hundredths of a degree from the chip's scratchpad; None for the power-up value and what no chip can say."""
    if len(scratch) != 9 or scratch[4] & 0x1F != 0x1F:  # a line shorted to ground reads zeros, and their CRC is right
        return None
    sixteenths = scratch[1] << 8 | scratch[0]
    if sixteenths >= 0x8000:
        sixteenths -= 0x10000
    c100 = sixteenths * 25 // 4
    return None if c100 == POWER_UP_C100 or not -5500 <= c100 <= 12500 else c100
