"""Run the node's program in this process, on MicroPython or CPython, in a simulated world.

    SIM_ROOT=… SIM_FACTOR=600 SIM_WORLD_FD=5 SIM_UART_FD=6 micropython -X heapsize=160k …/run_node.py

The working folder is the node's flash: wiring.json, config.json. Both descriptors must not block. SIM_UART_FD may
be missing: then the link in wiring.json must be stdio.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

ON_MICROPYTHON = sys.implementation.name == "micropython"


def prepare_world() -> None:
    """Set the world up from the environment and wiring.json."""
    import json

    from firmware_scripts.sim.world import WORLD

    WORLD.factor = float(os.getenv("SIM_FACTOR") or "1")
    WORLD.reset_cause = os.getenv("SIM_RESET_CAUSE") or "pwr"
    WORLD.unique_id = (os.getenv("SIM_UNIQUE_ID") or "SIMNODE0").encode()
    WORLD.begin_at(int(os.getenv("SIM_TICKS_START") or "0"))
    WORLD.socket = _open("SIM_WORLD_FD")
    WORLD.link = _open("SIM_UART_FD")
    WORLD.listen()  # pins have their voltages before the program reads them
    try:
        with open("wiring.json") as file:
            probes = json.load(file)["probes"]
    except (OSError, ValueError, KeyError):
        return
    for probe in probes:
        if probe.get("mode") == "serial":
            WORLD.sonar_model[str(probe["uart"])] = (probe.get("model", "jsn"), bool(probe.get("ask")))


def _open(name: str) -> "BinaryIO | None":
    number = os.getenv(name)
    return None if number is None else open(int(number), "r+b", 0)


def replace_modules() -> None:
    """Put the simulated modules where the node's program looks for the board's."""
    from firmware_scripts.sim import fake_machine, fake_select, fake_time

    sys.modules["machine"] = fake_machine
    sys.modules["onewire"] = fake_machine
    if ON_MICROPYTHON:
        sys.modules["time"] = fake_time
        sys.modules["select"] = fake_select
        return
    import select
    import time
    import types

    for name in ("ticks_ms", "ticks_us", "ticks_diff", "ticks_add", "sleep_ms", "sleep_us"):
        setattr(time, name, getattr(fake_time, name))
    select.poll = fake_select.FakePoll  # type: ignore[misc,assignment]  # this process is the node
    micropython = types.ModuleType("micropython")
    micropython.kbd_intr = lambda _byte: None  # type: ignore[attr-defined]
    sys.modules["micropython"] = micropython


def run() -> None:
    """Run until the world ends."""
    sys.path[0] = os.getenv("SIM_ROOT") or "."
    prepare_world()
    replace_modules()
    from firmware_scripts.main import run as run_program

    run_program()


if __name__ == "__main__":
    run()
