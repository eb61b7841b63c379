"""What only 31-bit whole numbers show: the interrupt handler, and the engine's own tick arithmetic at 2**30."""
# ruff: noqa: ANN001, ANN201, ANN204, E402, T201 - it runs on MicroPython

import os
import sys
import time

import micropython

ROOT = os.getenv("SIM_ROOT") if hasattr(os, "getenv") else "/"
sys.path.append(ROOT)

from firmware_scripts.frame import Decoder, encode
from firmware_scripts.node import Node
from firmware_scripts.probes.flow import LAST, FlowMeter
from firmware_scripts.probes.pressure import read_mv
from firmware_scripts.settings import Settings

NARROW = sys.maxsize < 1 << 32


def runs_locked(handler, times):
    """Whether `handler` can run that often while nothing may be allocated, as in a hard interrupt."""
    micropython.heap_lock()
    try:
        for _ in range(times):
            handler(None)
    except MemoryError:
        return False
    finally:
        micropython.heap_unlock()
    return True


class Careless:
    """A counter without a bound, and one that makes its attribute too late: what the test must be able to see."""

    def __init__(self):
        self.count = (1 << 30) - 2

    def on_edge(self, _pin):
        self.count += 1

    def on_first_edge(self, _pin):
        self.fresh_attribute_with_a_long_name = 1.5 * self.count


meter = FlowMeter("")
edge = meter.on_edge
assert runs_locked(edge, 1000)
assert meter.count == 1000
meter.count = LAST - 5
assert runs_locked(edge, 10)
assert meter.count == 4, meter.count
careless = Careless()
late = careless.on_first_edge
assert not runs_locked(late, 1)
if NARROW:
    grow = careless.on_edge
    assert not runs_locked(grow, 5), "a small int must overflow here"

assert read_mv(lambda: 65535) == (3300, True)

for up_ms in ((1 << 30) - 1, 1 << 30, (1 << 31) + 7, (1 << 32) - 1):
    (frame,) = Decoder().feed(encode("D", "T01", 1, up_ms, [("fp", LAST), ("big", -9999999999)]))
    assert (frame.up_ms, frame.fields["fp"], frame.fields["big"]) == (up_ms, LAST, -9999999999)


class Board:
    """Ticks counted by hand; their arithmetic is the engine's."""

    name = "x"
    ticks = (1 << 30) - 20000 if NARROW else 0

    def ticks_ms(self):
        return self.ticks

    def ticks_diff(self, later, earlier):
        return time.ticks_diff(later, earlier)

    def unique_id(self):
        return "00"

    def led(self, on):
        pass

    def feed(self):
        pass


class Link:
    """Remembers."""

    sent = b""

    def read(self):
        return None

    def write(self, data):
        self.sent += data


board, link = Board(), Link()
node = Node("T01", board, link, [meter], Settings(lambda: None))
node.start(False)
waited_ms = 0
while waited_ms < 60000:
    wait_ms = node.poll()
    waited_ms += wait_ms
    board.ticks = time.ticks_add(board.ticks, wait_ms)
frames = Decoder().feed(link.sent)
ups = [frame.up_ms for frame in frames if frame.kind == "D"]
assert ups == list(range(0, 60000, 5000)), ups
if NARROW:
    assert board.ticks < 60000, board.ticks
    assert time.ticks_diff(5, (1 << 30) - 5) == 10
print("narrow ok:", "31 bits" if NARROW else "63 bits", len(frames), "frames")
