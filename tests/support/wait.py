"""Wait for an event by asking often, with a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(ask: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
    """Return the first true answer of `ask`; AssertionError after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s} s in vain {what}: last answer {answer!r}")
        time.sleep(0.01)
