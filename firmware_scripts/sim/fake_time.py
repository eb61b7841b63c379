"""MicroPython's clock in a simulated node: faster than the machine's, or moved by sleeping only."""

import time

from firmware_scripts.sim.world import TICKS_PERIOD, WORLD

_REAL_SLEEP_US = getattr(time, "sleep_us", None)
_REAL_SLEEP = time.sleep
HALF = TICKS_PERIOD // 2


def ticks_us() -> int:
    """Microseconds modulo 2**30, as on the RP2040."""
    return WORLD.now_us() % TICKS_PERIOD


def ticks_ms() -> int:
    """Milliseconds modulo 2**30."""
    return WORLD.now_us() // 1000 % TICKS_PERIOD


def ticks_diff(later: int, earlier: int) -> int:
    """Signed difference of two ticks."""
    return (later - earlier + HALF) % TICKS_PERIOD - HALF


def ticks_add(ticks: int, delta: int) -> int:
    """A tick `delta` later."""
    return (ticks + delta) % TICKS_PERIOD


def sleep_us(us: int) -> None:
    """Sleep for `us` of the node's time; less than 0.1 ms of the machine's is not slept at all."""
    if not WORLD.factor:
        WORLD.move(us)
        return
    real_us = int(us / WORLD.factor)
    if real_us >= 100:
        rest_us(real_us)
        WORLD.listen()


def sleep_ms(ms: int) -> None:
    """Sleep for `ms` of the node's time."""
    sleep_us(ms * 1000)


def rest_us(real_us: int) -> None:
    """Sleep for `real_us` of the machine's time."""
    if _REAL_SLEEP_US is not None:
        _REAL_SLEEP_US(real_us)
    else:
        _REAL_SLEEP(real_us / 1e6)
