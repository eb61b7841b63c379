"""A village of simulated nodes as a source: the real node program on pseudo terminals, in a program of its own."""

import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware_scripts.frame import Frame
from gateway.sources.serial_port import SerialPort
from gateway.sources.source import Arguments, PortState, UnknownNodeError

log = logging.getLogger(__name__)

_PROGRAM: Final = "firmware_scripts.sim.village"
_END_S: Final = 10.0


class SimulatedVillage:
    """A source: each node of a scenario is a serial port, opened as a real one is."""

    def __init__(self, scenario: str, factor: float, make: Callable[[str], SerialPort]) -> None:
        """Nothing is started until `start`.

        Args:
            scenario: file with the village's description; "": the built-in one.
            factor: how many times faster than the machine's clock the nodes live.
            make: a port, not started, for a path.
        """
        self._scenario = scenario or "builtin"
        self._factor = factor
        self._make = make
        self._folder = tempfile.TemporaryDirectory(prefix="monuoc-village-")
        self._village: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, SerialPort] = {}
        self._thread = threading.Thread(target=self._run, name="village", daemon=True)

    def start(self) -> None:
        """Start the village; its ports open once it is ready."""
        command = [sys.executable, "-m", _PROGRAM, "--links", self._folder.name]
        command += ["--factor", repr(self._factor), "--scenario", self._scenario]
        self._village = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread.start()

    def states(self) -> list[PortState]:
        """How each node's port is."""
        return [state for port in list(self._ports.values()) for state in port.states()]

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """Ask a node of the village; see `Source.send`."""
        if node not in self._ports:
            raise UnknownNodeError(f"there is no {node} in the simulated village")
        return self._ports[node].send(node, verb, arguments)

    def close(self) -> None:
        """End; see `Source.close`."""
        for port in list(self._ports.values()):
            port.close()
        village, self._village = self._village, None
        if village is not None:
            if village.stdin is not None:
                village.stdin.close()
            try:
                village.wait(_END_S)
            except subprocess.TimeoutExpired:
                village.kill()
                village.wait()
            self._thread.join()
            if village.stdout is not None:
                village.stdout.close()
        self._folder.cleanup()

    def _run(self) -> None:
        """Read the village's events to their end, so that it never waits for a reader."""
        village = self._village
        if village is None or village.stdout is None:
            return
        for line in village.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                log.info("simulated village %s on %s", event.get("place"), event.get("engine"))
                self._open({node: Path(path) for node, path in event["nodes"].items()})
        if self._village is not None:
            log.error("the simulated village has ended by itself (status %s)", village.wait())

    def _open(self, paths: dict[str, Path]) -> None:
        for node, path in paths.items():
            port = self._make(str(path))
            port.start()
            self._ports[node] = port
