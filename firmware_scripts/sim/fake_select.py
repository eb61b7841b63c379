"""Waiting for a byte in a simulated node: its time-out is the node's time, and the world is heard meanwhile."""

import select

from firmware_scripts.sim.fake_time import rest_us
from firmware_scripts.sim.world import WORLD

POLLIN = select.POLLIN
_REAL_POLL = select.poll


class FakePoll:
    """MicroPython's `select.poll` as far as the node uses it."""

    def __init__(self) -> None:
        self._real = _REAL_POLL()
        self._hears_world = False

    def register(self, thing: object, flags: int) -> None:
        """Wait for `thing` too: a fake UART or standard input."""
        if WORLD.factor:
            self._real.register(getattr(thing, "stream", thing), flags)  # type: ignore[arg-type]  # MicroPython's way

    def poll(self, wait_ms: int = -1) -> "list[tuple[object, int]]":
        """What is ready, after at most `wait_ms`."""
        if not WORLD.factor:
            if wait_ms > 0:
                WORLD.move(wait_ms * 1000)
            return []
        if wait_ms > 0 and WORLD.socket is not None and not self._hears_world:
            self._hears_world = True
            self._real.register(WORLD.socket, POLLIN)
        real_us = int(wait_ms * 1000 / WORLD.factor)
        if 0 < real_us < 1000:
            rest_us(real_us)
            real_us = 0
        ready: list[tuple[object, int]] = list(self._real.poll(real_us // 1000))
        if wait_ms > 0:
            WORLD.listen()
        return ready


poll = FakePoll
