"""A pattern of serial ports: each path that matches, now or later, becomes a port of its own."""

import glob
import threading
from collections.abc import Callable
from typing import Final

from firmware_scripts.frame import Frame
from gateway.sources.serial_port import SerialPort
from gateway.sources.source import Arguments, PortState, UnknownNodeError

LOOK_EVERY_S: Final = 2.0


class PortPattern:
    """A source made of sources. A port that was there once is kept and waited for."""

    def __init__(self, pattern: str, make: Callable[[str], SerialPort], look_every_s: float = LOOK_EVERY_S) -> None:
        """Nothing is looked for until `start`.

        Args:
            pattern: as a shell has it, such as `/dev/serial/by-id/*`.
            make: a port, not started, for a path.
            look_every_s: between two looks for new paths.
        """
        self._pattern = pattern
        self._make = make
        self._look_every_s = look_every_s
        self._ports: dict[str, SerialPort] = {}
        self._thread = threading.Thread(target=self._run, name=f"ports {pattern}", daemon=True)
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def states(self) -> list[PortState]:
        """How each port found so far is."""
        found = [state for port in list(self._ports.values()) for state in port.states()]
        return found or [PortState(self._pattern, False, frozenset(), 0, 0, "no such port is plugged in")]  # noqa: FBT003 - its place

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """Ask a node on whichever port it is; see `Source.send`."""
        for port in list(self._ports.values()):
            if any(node in state.nodes for state in port.states()):
                return port.send(node, verb, arguments)
        raise UnknownNodeError(f"{node} has not been heard on any port of {self._pattern}")

    def close(self) -> None:
        """End; see `Source.close`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        for port in self._ports.values():
            port.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for path in sorted(glob.glob(self._pattern)):  # noqa: PTH207 - Path has no glob of a whole path
                if path not in self._ports:
                    port = self._make(path)
                    port.start()
                    self._ports[path] = port
            self._stop.wait(self._look_every_s)
