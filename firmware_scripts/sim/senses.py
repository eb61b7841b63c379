"""What the probes of a simulated node would say electrically: echo times, voltages, pulse totals."""

import math
import random
from typing import Any

from firmware_scripts.sim.water import Water

Said = dict[str, dict[str, Any]]

RIPPLE_MM = 2.0
"""Standard deviation of the surface's height."""
SUPPLY_MV = 5000.0
DIVIDER = 2.0
"""Two equal resistors bring 5 V probes and their supply to the converter's 3.3 V."""
FULL_RANGE_MV = 3300.0


def sense(water: Water, probes: list[dict[str, Any]], dice: random.Random) -> Said:
    """Lines for `world.World.set`, for all probes of one node."""
    said: Said = {"echo_us": {}, "sonar_mm": {}, "adc": {}, "pulses": {}, "c100": {}}
    for probe in probes:
        kind = probe["kind"]
        if kind == "ds":
            _sense_level(water, probe, dice, said)
        elif kind == "fp":
            pipe = water.pipes[probe["pipe"]]
            said["pulses"][str(probe["pin"])] = int(pipe.passed_l * probe["pulses_per_litre"])
        elif kind == "hd":
            kpa = water.head_kpa(water.pipes[probe["pipe"]])
            part = 0.1 + 0.8 * max(0.0, min(1.05, kpa / probe["full_scale_kpa"]))
            said["adc"][str(probe["pin"])] = _raw(part * SUPPLY_MV / DIVIDER)
        elif kind == "vs":
            said["adc"][str(probe["pin"])] = _raw(SUPPLY_MV / DIVIDER)
        elif kind == "tw":
            said["c100"][str(probe["pin"])] = round(water.air_c() * 100)
        elif kind == "bv":
            part = probe["bottom"] / (probe["top"] + probe["bottom"])
            said["adc"][str(probe["pin"])] = _raw(water.battery_mv() * part)
    return said


def _sense_level(water: Water, probe: dict[str, Any], dice: random.Random, said: Said) -> None:
    """Sound takes its time at the air's temperature; a module that counts for itself takes 340 m/s."""
    distance_m = probe["face_m"] - water.tanks[probe["tank"]].level_m + dice.gauss(0, RIPPLE_MM / 1000)
    sound_mps = 331.3 * math.sqrt(1 + water.air_c() / 273.15)
    echo_us = round(2 * distance_m / sound_mps * 1e6)
    if probe.get("mode") == "serial":
        said["sonar_mm"][str(probe["uart"])] = echo_us * 17 // 100
    else:
        said["echo_us"][str(probe["echo"])] = echo_us


def _raw(pin_mv: float) -> int:
    return round(min(pin_mv, FULL_RANGE_MV) / FULL_RANGE_MV * 65535)
