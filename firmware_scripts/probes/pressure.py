"""Pressure or head as a voltage: `hd` the probe, `vs` its supply, both in mV at the converter's pin.

A ratiometric probe gives 10 to 90 % of its supply. With `vs` wired through the same divider as `hd` the gateway takes
hd / vs, and neither divider nor supply matters.
"""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Pairs, ReadU16

SAMPLES = 16
CLIPPED = 0x08
CLIP_FROM = 65_400
"""Of 65,535: the last 7 mV of the converter's range."""


def read_mv(read_u16: "ReadU16") -> "tuple[int, bool]":
    """Mean of some conversions in mV of 0..3300, and whether one of them touched the upper end."""
    total = 0
    clipped = False
    for _ in range(SAMPLES):
        raw = read_u16()
        total += raw
        clipped = clipped or raw >= CLIP_FROM
    return total // SAMPLES * 3300 // 65535, clipped


class Voltage:
    """One analogue input."""

    def __init__(self, key: str, read_u16: "ReadU16") -> None:
        self._key = key
        self._read_u16 = read_u16
        self._mv: int | None = None
        self._clipped = False

    def start(self, _up_ms: int) -> None:
        self._mv, self._clipped = read_mv(self._read_u16)

    def poll(self, _up_ms: int) -> int:
        return 0

    def pairs(self) -> "Pairs":
        return [(self._key, self._mv)]

    def flags(self) -> int:
        return CLIPPED if self._clipped else 0
