"""Battery voltage `bv` in mV, measured behind a divider."""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

from firmware_scripts.probes.pressure import CLIPPED, read_mv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Pairs, ReadU16


class Battery:
    """`top` and `bottom` are the divider's resistors, in any one unit."""

    def __init__(self, number: str, read_u16: "ReadU16", top: int, bottom: int) -> None:
        self._key = "bv" + number
        self._read_u16 = read_u16
        self._top = top
        self._bottom = bottom
        self._mv: int | None = None
        self._clipped = False

    def start(self, _up_ms: int) -> None:
        pin_mv, self._clipped = read_mv(self._read_u16)
        self._mv = pin_mv * (self._top + self._bottom) // self._bottom

    def poll(self, _up_ms: int) -> int:
        return 0

    def pairs(self) -> "Pairs":
        return [(self._key, self._mv)]

    def flags(self) -> int:
        return CLIPPED if self._clipped else 0
