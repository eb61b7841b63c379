"""Flow by counting the pulses of a meter in a hard interrupt."""
# ruff: noqa: D102 - what the methods promise is written once, in hardware.py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Pairs

LAST = 999_999_999
"""The count goes 0..LAST and begins anew: below 2**30 a whole number needs no memory on a 32-bit board."""


class FlowMeter:
    """Pulses since the node started, modulo 10**9, as `fp`."""

    def __init__(self, number: str) -> None:
        self._key = "fp" + number
        self.count = 0

    def on_edge(self, _pin: object) -> None:
        """Count one pulse. An error in a hard interrupt would switch it off for good: one bounded add, no more."""
        self.count = 0 if self.count >= LAST else self.count + 1

    def start(self, up_ms: int) -> None:
        """Nothing: it counts all the time."""

    def poll(self, _up_ms: int) -> int:
        return 0

    def pairs(self) -> "Pairs":
        return [(self._key, self.count)]

    def flags(self) -> int:
        return 0
