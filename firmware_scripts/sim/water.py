"""Water of a simulated village: what flows in, out and over; volume is conserved.

A scenario (see `lung_sau.json`) names tanks, pipes and nodes. A pipe brings water `to` a tank, takes it `from` one, or
both; its flow is `lpm`, or follows `litres_per_day` over the hours of `use_by_hour`, or is what `set_flow` said.
"""

import math
from dataclasses import dataclass
from typing import Any

LITRES = 1000.0
GRAVITY_MPS2 = 9.786
DENSITY_KGPM3 = 998.0


@dataclass(slots=True)
class Tank:
    """A tank with straight walls.

    Attributes:
        area_m2: of the water's surface.
        full_m: level at which it runs over.
        volume_l: water in it.
        in_l, out_l, spilled_l: running totals; in - out - spilled is the change of `volume_l`.
    """

    area_m2: float
    full_m: float
    volume_l: float
    in_l: float = 0.0
    out_l: float = 0.0
    spilled_l: float = 0.0

    @property
    def level_m(self) -> float:
        """Water above the floor."""
        return self.volume_l / LITRES / self.area_m2

    def take(self, wanted_l: float) -> float:
        """Litres that leave through a pipe: what is wanted, at most what is there."""
        got_l = min(wanted_l, self.volume_l)
        self.volume_l -= got_l
        self.out_l += got_l
        return got_l

    def pour(self, litres: float) -> None:
        """Let water in; what does not fit runs over."""
        self.in_l += litres
        room_l = self.full_m * self.area_m2 * LITRES - self.volume_l
        self.volume_l += min(litres, room_l)
        self.spilled_l += max(0.0, litres - room_l)


@dataclass(slots=True)
class Pipe:
    """One pipe.

    Attributes:
        spec: its lines of the scenario.
        set_lpm: flow that a command asked for; None: as the scenario says.
        flow_lpm: flow of the last step.
        passed_l: running total.
        dirty_l: litres filtered since the filter was rinsed.
    """

    spec: dict[str, Any]
    set_lpm: float | None = None
    flow_lpm: float = 0.0
    passed_l: float = 0.0
    dirty_l: float = 0.0


class Water:
    """All tanks and pipes of a scenario."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.tanks = {
            name: Tank(spec["area_m2"], spec["full_m"], spec["level_m"] * spec["area_m2"] * LITRES)
            for name, spec in scenario["tanks"].items()
        }
        self.pipes = {name: Pipe(spec) for name, spec in scenario["pipes"].items()}
        self.hour = float(scenario["start_hour"])
        self._use = [float(share) for share in scenario["use_by_hour"]]
        self._coldest_c, self._warmest_c = (float(limit) for limit in scenario["air_c"])

    def step(self, seconds: float) -> None:
        """Let water flow for `seconds`; short enough that no flow changes meanwhile."""
        for pipe in self.pipes.values():
            litres = self._wanted_lpm(pipe) * seconds / 60
            source, target = pipe.spec.get("from"), pipe.spec.get("to")
            if source:
                litres = self.tanks[source].take(litres)
            if target:
                self.tanks[target].pour(litres)
            pipe.passed_l += litres
            pipe.dirty_l += litres
            pipe.flow_lpm = litres * 60 / seconds
        self.hour = (self.hour + seconds / 3600) % 24

    def _wanted_lpm(self, pipe: Pipe) -> float:
        if pipe.set_lpm is not None:
            return pipe.set_lpm
        if "lpm" in pipe.spec:
            return float(pipe.spec["lpm"])
        share = self._use[int(self.hour) % 24] / sum(self._use)
        return float(pipe.spec["litres_per_day"]) * share / 60

    def set_flow(self, asset: str, inflow_lpm: float | None, outflow_lpm: float | None, given: set[str]) -> bool:
        """Set the flow into or out of a tank, or through a pipe; None: as the scenario says again.

        Args:
            asset: a tank (its first pipe in that direction is meant) or a pipe (both words mean its flow).
            inflow_lpm: litres a minute in.
            outflow_lpm: litres a minute out.
            given: which of "inflow_lpm", "outflow_lpm" is meant at all.

        Returns:
            False when there is no such asset.
        """
        found = False
        for name, pipe in self.pipes.items():
            if "inflow_lpm" in given and asset in {name, pipe.spec.get("to")}:
                pipe.set_lpm, found = inflow_lpm, True
            if "outflow_lpm" in given and asset in {name, pipe.spec.get("from")}:
                pipe.set_lpm, found = outflow_lpm, True
        return found

    def air_c(self) -> float:
        """Temperature, warmest at 14 h."""
        middle, swing = (self._warmest_c + self._coldest_c) / 2, (self._warmest_c - self._coldest_c) / 2
        return middle + swing * math.cos((self.hour - 14) / 24 * 2 * math.pi)

    def battery_mv(self) -> float:
        """A 12 V battery that the sun charges from 6 to 18 h."""
        sun = max(0.0, math.sin((self.hour - 6) / 12 * math.pi))
        return 12_400 + 900 * sun

    def head_kpa(self, pipe: Pipe) -> float:
        """Pressure at a pipe: over a filter it grows with flow and dirt, in a line it falls with flow."""
        spec = pipe.spec
        if "drop_m" in spec:
            source = self.tanks[spec["from"]]
            loss_m = float(spec["loss_m"]) * (pipe.flow_lpm / float(spec["loss_at_lpm"])) ** 2
            head_m = float(spec["drop_m"]) + source.level_m - loss_m
        else:
            dirt = 1 + float(spec["clog_per_m3"]) * pipe.dirty_l / LITRES
            head_m = float(spec["head_m"]) * dirt * pipe.flow_lpm / float(spec["lpm"])
        return head_m * DENSITY_KGPM3 * GRAVITY_MPS2 / 1000
