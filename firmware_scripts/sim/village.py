"""A village of real nodes on pseudo terminals, with water, sun and faults.

    python -m firmware_scripts.sim.village --links DIR --factor F [--scenario FILE|builtin] [--engine auto] [--seed N]
                                           [--start-hour H] [--duration S] [--flash DIR]

Each node of the scenario (builtin: `lung_sau.json`) runs the unchanged node program in a process of its own. Its port
is DIR/<node>; its time runs F times as fast as the machine's. Commands are JSON lines on standard input:

    {"do": "set", "asset": A, "inflow_lpm": X, "outflow_lpm": Y}   A: tank, pipe, or node; null: as the scenario says
    {"do": "kill" | "start", "node": N}                            cut its power, switch it on
    {"do": "unplug" | "plug", "node": N}                           its cable
    {"do": "noise", "node": N, "rate": R}                          damage per byte from the node, 0..1
    {"do": "clean", "asset": A}                                    rinse a filter
    {"do": "stats"}

Events are JSON lines on standard output:

    {"event": "ready", "place": …, "engine": "micropython" | "cpython", "factor": F, "nodes": {N: path of its port}}
    {"event": "done", "do": …}, {"event": "error", "reason": …, "said": …}      after each command but `stats`
    {"event": "reset", "node": N} the node has reset itself and is started again
    {"event": "died", "node": N, "status": …} an error ended it; it is started again, as its watchdog would
    {"event": "stats", "village_s": seconds of the village, "hour": its hour of the day, "nodes": {N: {
        "frames_sent": whole valid frames that the node wrote, "boots": …, "running": …, "plugged": …, "open": …,
        "pulses_total": pulses of its first meter since the start, also while the node is dead (0 without a meter),
        "pulses_heard": those that fell while the node ran, "pulses_sent": those that whole
        frames told of, in all its lives, "damages": …, "bytes_dropped": while nobody had it open}},
     "tanks": {A: {"level_m", "volume_l", "in_l", "out_l", "spilled_l"}}, "pipes": {A: {"flow_lpm", "passed_l"}}}

The end of standard input ends everything.
"""

import argparse
import json
import os
import random
import selectors
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_scripts.frame import Decoder, Frame
from firmware_scripts.sim.cable import Cable
from firmware_scripts.sim.process import NodeProcess, asked_for_reset, engine_name, find_engine
from firmware_scripts.sim.senses import sense
from firmware_scripts.sim.water import Water

BUILTIN = Path(__file__).with_name("lung_sau.json")
TICK_S = 0.05
"""Of the machine's time, between two looks at water and cables."""
LONGEST_STEP_S = 60.0


class Station:
    """A node, its cable, and what has passed between them."""

    def __init__(self, spec: dict[str, Any], process: NodeProcess, cable: Cable) -> None:
        self.probes: list[dict[str, Any]] = spec["probes"]
        self.process = process
        self.cable = cable
        self.sent = Decoder()
        self.pulses_heard = 0
        self._pulses_sent = [0, 0]  # told of in earlier lives, and in this one
        self.wanted = True
        self._last_pulses = 0
        self._said: dict[str, Any] = {}

    def start(self) -> None:
        """Switch the node on; half a frame of an earlier life is no frame."""
        self.sent.feed(b"\n")
        self.wanted = True
        self.process.start(self._said)

    def kill(self) -> None:
        """Cut the node's power; what it had sent is still on the wire."""
        self.pass_up()
        self.wanted = False
        self.process.kill()

    def pass_up(self) -> None:
        """Bytes from the node to the gateway."""
        data = self.process.read()
        if data:
            for frame in self.sent.feed(data):
                self._note_pulses(frame)
            self.cable.write(data)

    def _note_pulses(self, frame: Frame) -> None:
        if frame.kind == "B" and "tg" not in frame.fields:
            self._pulses_sent = [sum(self._pulses_sent), 0]
        told = frame.fields.get("fp")
        if isinstance(told, int):
            self._pulses_sent[1] = told

    def pass_down(self) -> None:
        """Bytes from the gateway to the node."""
        data = self.cable.read()
        if data:
            self.process.write(data)

    def feel(self, water: Water, dice: random.Random) -> None:
        """Tell the node what its probes measure now."""
        said = sense(water, self.probes, dice)
        pulses = next(iter(said["pulses"].values()), 0)
        if self.process.uart is not None:
            self.pulses_heard += pulses - self._last_pulses
        self._last_pulses = pulses
        self._said = said
        self.process.tell(said)

    def stats(self) -> dict[str, Any]:
        """See the module's words on `stats`."""
        return {
            "frames_sent": self.sent.good,
            "boots": self.process.boots,
            "running": self.process.uart is not None,
            "plugged": self.cable.master >= 0,
            "open": self.cable.is_open(),
            "pulses_total": self._last_pulses,
            "pulses_heard": self.pulses_heard,
            "pulses_sent": sum(self._pulses_sent),
            "damages": self.cable.damages,
            "bytes_dropped": self.cable.dropped,
        }


class Village:
    """All of it, driven by one loop."""

    def __init__(
        self, scenario: dict[str, Any], links: Path, flash: Path, factor: float, *, engine: str, seed: int
    ) -> None:
        self._place = scenario["place"]
        self._factor = factor
        self._engine = engine
        self._dice = random.Random(seed)  # noqa: S311  # a simulation
        self._water = Water(scenario)
        self._links = links
        self._village_s = 0.0
        self._selector = selectors.DefaultSelector()
        self._watched: dict[str, tuple[int, int]] = {}
        self._stations: dict[str, Station] = {}
        self._held = b""
        self._over = False
        for name, spec in scenario["nodes"].items():
            process = NodeProcess(engine, flash / name, factor)
            process.write_flash(name, spec["probes"], spec["interval_ms"])
            cable = Cable(links / name, random.Random(self._dice.random()))  # noqa: S311  # a simulation
            self._stations[name] = Station(spec, process, cable)

    def run(self, duration_s: float | None) -> None:
        """Run until standard input ends or `duration_s` of the machine's time have passed."""
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ, "stdin")
        for station in self._stations.values():
            station.cable.plug()
            station.feel(self._water, self._dice)
            station.start()
        last = start = time.monotonic()
        said_ready = False
        try:
            while not self._over and (duration_s is None or last - start < duration_s):
                self._wait(last + TICK_S)
                now = time.monotonic()
                if now - last >= TICK_S:
                    self._tick((now - last) * self._factor)
                    last = now
                if not said_ready and all(station.sent.good for station in self._stations.values()):
                    said_ready = True
                    self._say_ready()
        finally:
            for station in self._stations.values():
                station.process.stop()
                station.cable.unplug()

    def _wait(self, until_s: float) -> None:
        for key, _ in self._selector.select(max(0.0, until_s - time.monotonic())):
            name, direction = key.data if isinstance(key.data, tuple) else ("", key.data)
            if direction == "stdin":
                self._listen()
            elif direction == "up":
                self._stations[name].pass_up()
            else:
                self._stations[name].pass_down()

    def _tick(self, seconds: float) -> None:
        self._village_s += seconds
        while seconds > 0:
            step_s = min(seconds, LONGEST_STEP_S)
            self._water.step(step_s)
            seconds -= step_s
        for name, station in self._stations.items():
            self._revive(name, station)
            station.feel(self._water, self._dice)
            self._watch(name, station)

    def _revive(self, name: str, station: Station) -> None:
        station.pass_up()
        status = station.process.poll()
        if status is None:
            return
        if asked_for_reset(status):
            say("reset", node=name)
        else:
            say("died", node=name, status=status)
        if station.wanted:
            station.start()

    def _watch(self, name: str, station: Station) -> None:
        """Wait for bytes of whichever ends are there now."""
        uart = station.process.uart
        port = station.cable.master if station.cable.is_open() else -1
        ends = (-1 if uart is None else uart.fileno(), port)
        if self._watched.get(name) == ends:
            return
        self._unwatch(name)
        self._watched[name] = ends
        for end, direction in zip(ends, ("up", "down"), strict=True):
            if end >= 0:
                self._selector.register(end, selectors.EVENT_READ, (name, direction))

    def _unwatch(self, name: str) -> None:
        for end in self._watched.pop(name, ()):
            if end >= 0 and end in self._selector.get_map():
                self._selector.unregister(end)

    def _listen(self) -> None:
        data = os.read(0, 65536)
        self._over = not data
        lines = (self._held + data).split(b"\n")
        self._held = lines.pop()
        for line in lines:
            if line.strip():
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if said["do"] == "stats":
                self._say_stats()
                return
            self._do(said)
        except (ValueError, KeyError, TypeError) as error:
            say("error", reason=repr(error), said=line.decode(errors="replace"))
            return
        say("done", do=said["do"])

    def _do(self, said: dict[str, Any]) -> None:
        verb = said["do"]
        if verb == "set":
            self._set(said)
        elif verb == "clean":
            self._water.pipes[said["asset"]].dirty_l = 0.0
        else:
            name = said["node"]
            station = self._stations[name]
            self._unwatch(name)
            actions: dict[str, Callable[[], object]] = {
                "kill": station.kill,
                "start": station.start,
                "plug": station.cable.plug,
                "unplug": station.cable.unplug,
                "noise": lambda: setattr(station.cable, "rate", float(said["rate"])),
            }
            actions[verb]()
            self._watch(name, station)

    def _set(self, said: dict[str, Any]) -> None:
        asset = self._asset(said["asset"])
        given = {"inflow_lpm", "outflow_lpm"} & said.keys()
        if not self._water.set_flow(asset, said.get("inflow_lpm"), said.get("outflow_lpm"), given):
            raise KeyError(asset)

    def _asset(self, name: str) -> str:
        """The tank or pipe of that name, or the first that the node of that name looks at."""
        if name in self._stations:
            for probe in self._stations[name].probes:
                if "tank" in probe or "pipe" in probe:
                    return str(probe.get("tank") or probe["pipe"])
        return name

    def _say_ready(self) -> None:
        say(
            "ready",
            place=self._place,
            engine=engine_name(self._engine),
            factor=self._factor,
            nodes={name: str(self._links / name) for name in self._stations},
        )

    def _say_stats(self) -> None:
        for station in self._stations.values():
            station.pass_up()
        say(
            "stats",
            village_s=round(self._village_s, 3),
            hour=round(self._water.hour, 4),
            nodes={name: station.stats() for name, station in self._stations.items()},
            tanks={
                name: {
                    "level_m": round(tank.level_m, 5),
                    "volume_l": round(tank.volume_l, 3),
                    "in_l": round(tank.in_l, 3),
                    "out_l": round(tank.out_l, 3),
                    "spilled_l": round(tank.spilled_l, 3),
                }
                for name, tank in self._water.tanks.items()
            },
            pipes={
                name: {"flow_lpm": round(pipe.flow_lpm, 3), "passed_l": round(pipe.passed_l, 3)}
                for name, pipe in self._water.pipes.items()
            },
        )


def say(event: str, **more: object) -> None:
    """One event on standard output."""
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m firmware_scripts.sim.village", description=__doc__.split("\n")[0])
    parser.add_argument("--links", type=Path, required=True, help="folder for the ports, one link for each node")
    parser.add_argument("--factor", type=float, default=1.0, help="seconds of the village in one second")
    parser.add_argument("--scenario", default="builtin", help="a JSON file; builtin: the village Lung Sau")
    parser.add_argument("--engine", choices=("auto", "micropython", "cpython"), default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start-hour", type=float, help="hour of the day; else the scenario's")
    parser.add_argument("--flash", type=Path, help="folder for what the nodes keep; else it is gone afterwards")
    parser.add_argument("--duration", type=float, help="seconds of the machine's time; else until stdin ends")
    options = parser.parse_args()
    path = BUILTIN if options.scenario == "builtin" else Path(options.scenario)
    scenario = json.loads(path.read_text())
    if options.start_hour is not None:
        scenario["start_hour"] = options.start_hour
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.links.mkdir(parents=True, exist_ok=True)
    engine = find_engine(options.engine)
    with tempfile.TemporaryDirectory(prefix="monuoc-village-") as flash:
        village = Village(
            scenario,
            options.links.resolve(),
            options.flash or Path(flash),
            options.factor,
            engine=engine,
            seed=options.seed,
        )
        village.run(options.duration)


if __name__ == "__main__":
    main()
