"""Light nodes on real ptys: lines as nodes write them, from one thread."""

import contextlib
import os
import pty
import threading
import time
import tty
from pathlib import Path
from typing import Self

from firmware_scripts.frame import encode

PULSES_PER_LITRE = 450


class Feeder:
    """`count` nodes T01, T02 ..., each with distance, flow pulses and battery, that write a frame every `interval_s`.

    The ptys stay open whatever happens to the gateway, as cables do.

    Attributes:
        paths: of the ports, by node.
        sent: frames written, by node.
        pulses: flow pulses counted so far, by node.
    """

    def __init__(self, count: int, interval_s: float) -> None:
        self.paths: dict[str, str] = {}
        self.sent: dict[str, int] = {}
        self.pulses: dict[str, int] = {}
        self._interval_s = interval_s
        self._masters: dict[str, tuple[int, int]] = {}
        for number in range(1, count + 1):
            master, slave = pty.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            node = f"T{number:02d}"
            self._masters[node] = master, slave
            self.paths[node], self.sent[node], self.pulses[node] = os.ttyname(slave), 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def write_config(
        self,
        folder: Path,
        broker_port: int,
        extra: str = "",
        commit_interval_s: float = 0.2,
        gateway: str = "try",
        broker: str = "",
    ) -> Path:
        """A gateway's configuration for these ports; `broker` are more lines of [broker]."""
        ports = "".join(f'[[port]]\npath = "{path}"\n' for path in self.paths.values())
        path = folder / "gateway.toml"
        path.write_text(
            f'id = "{gateway}"\ndata_dir = "{folder / "data"}"\n[broker]\nport = {broker_port}\n{broker}\n'
            "[clock]\ntrust = true\n"
            f"[spool]\ncommit_interval_s = {commit_interval_s}\n{extra}\n{ports}"
        )
        return path

    def stop_feeding(self) -> None:
        """The last frame has been written when this returns."""
        self._over.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_feeding()
        for master, slave in self._masters.values():
            os.close(master)
            os.close(slave)

    def _feed(self) -> None:
        began_s = time.monotonic()
        for node in self._masters:
            up_ms = 25
            self._write(
                node,
                encode("B", node, 0, up_ms, [("fw", "1.0"), ("rc", "power"), ("iv", int(self._interval_s * 1000))]),
            )
        pause_s = self._interval_s / len(self._masters)
        while True:
            for node in self._masters:
                if self._over.wait(pause_s):
                    return
                self._write_data(node, int((time.monotonic() - began_s) * 1000))

    def _write_data(self, node: str, up_ms: int) -> None:
        self.sent[node] += 1
        self.pulses[node] += 3 if self._interval_s < 1 else 450
        number = self.sent[node]
        pairs = [("ds", 1500 + number % 700), ("dq", 7), ("fp", self.pulses[node]), ("bv", 12600 - number % 100)]
        self._write(node, encode("D", node, number, up_ms, pairs))

    def _write(self, node: str, line: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: the line is lost, as on a cable
            os.read(self._masters[node][0], 4096)
        with contextlib.suppress(BlockingIOError):
            os.write(self._masters[node][0], line)
