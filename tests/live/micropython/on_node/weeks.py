"""Three weeks of a whole node in a world whose time moves when the node sleeps; the working folder is its flash."""
# ruff: noqa: ANN001, ANN201, ANN204, E402, PTH123, T201 - it runs on MicroPython

import os
import sys

ROOT = os.getenv("SIM_ROOT") if hasattr(os, "getenv") else "/"
sys.path.append(ROOT)

from firmware_scripts.sim.run_node import replace_modules
from firmware_scripts.sim.world import WORLD

DAY_S = 86400
DAYS = 21
INTERVAL_MS = 180_000
WRAP_MS = 1 << 30

WORLD.factor = 0
replace_modules()

from firmware_scripts.board import Pico
from firmware_scripts.frame import Decoder
from firmware_scripts.main import assemble
from firmware_scripts.probes.flow import LAST, FlowMeter


class Wire:
    """Takes what the node sends and checks it."""

    def __init__(self):
        self.decoder = Decoder()
        self.last = None
        self.counts = {}
        self.litres = 0

    def read(self, _size=0):
        return None

    def write(self, data):
        for frame in self.decoder.feed(data):
            self.check(frame)
        return len(data)

    def check(self, frame):
        if frame.kind == "D":
            self.check_data(frame)
        self.last = frame
        self.counts[frame.kind] = self.counts.get(frame.kind, 0) + 1

    def check_data(self, frame):
        fields = frame.fields
        day = frame.up_ms // 1000 // DAY_S
        assert (fields["ds"] is None) == (day in {3, 4}), (day, fields)
        assert (fields["tw"] is None) == (day in {5, 6, 7}), (day, fields)
        assert fields["fl"] == ({3: 1, 4: 1, 5: 4, 6: 4, 7: 4}.get(day, 0)), (day, fields)
        if self.last and self.last.kind == "D":
            assert (frame.seq - self.last.seq) % 65536 == 1
            step_ms = frame.up_ms - self.last.up_ms
            assert abs(step_ms - INTERVAL_MS) <= 900, step_ms  # a probe that is missing takes no time
            pulses = (fields["fp"] - self.last.fields["fp"]) % (LAST + 1)
            assert abs(pulses * 1000 - step_ms) <= 4000, (pulses, step_ms)


def now_s():
    return WORLD.now_us() // 1000000 - START_MS // 1000


def advance():
    WORLD.set({"pulses": {"6": now_s()}})


with open("wiring.json", "w") as file:
    file.write(
        '{"node": "T01", "link": {"kind": "uart"}, "probes": [{"kind": "ds", "trig": 2, "echo": 3},'
        ' {"kind": "fp", "pin": 6}, {"kind": "hd", "pin": 26}, {"kind": "tw", "pin": 15}]}'
    )
START_MS = WRAP_MS - 2 * DAY_S * 1000
WORLD.begin_at(START_MS)
wire = Wire()
WORLD.link = wire
WORLD.set({"echo_us": {"3": 7300}, "adc": {"26": 20000}, "c100": {"15": 1862}, "pulses": {"6": 0}})
board = Pico()
board.start_watchdog()
node = assemble(board)
for probe in node._probes:
    if isinstance(probe, FlowMeter):
        probe.count = LAST - 5 * DAY_S
WORLD.advance = advance
node._settings.interval_ms = INTERVAL_MS
day = -1
while now_s() < DAYS * DAY_S:
    board.idle(node.poll())
    if now_s() // DAY_S != day:
        day = now_s() // DAY_S
        WORLD.set({"echo_us": {"3": None if day in {3, 4} else 7300}})
        WORLD.set({"c100": {"15": {5: None, 6: "crc", 7: 8500}.get(day, 1862)}})
assert wire.counts["B"] == 1
assert abs(wire.counts["D"] - DAYS * DAY_S * 1000 // INTERVAL_MS) <= 1, wire.counts
assert wire.decoder.bad == 0
assert START_MS + DAYS * DAY_S * 1000 > WRAP_MS
print("weeks ok:", wire.counts["D"], "frames")
