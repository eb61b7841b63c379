"""Keeps the processes of one machine alive: starts them, starts them again, ends them together."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger("monuoc")

PARENT_PIPE: Final = "MONUOC_PARENT_PIPE"
"""Set in the environment of a process whose standard input is its supervisor's pipe."""
_LONG_RUN_S: Final = 60.0
_MAX_PAUSE_S: Final = 30.0
_END_S: Final = 10.0
_TURN_S: Final = 0.2


def keep_alive(names: Sequence[str], stopping: threading.Event) -> None:
    """Run `monuoc NAME` for each name until `stopping`, then end them all.

    One that dies is started again after a pause that doubles with each death, up to 30 s. All end when this process
    dies, however it dies.
    """
    children = [_Child(name) for name in names]
    while not stopping.is_set():
        for child in children:
            child.keep(time.monotonic())
        stopping.wait(_TURN_S)
    for child in children:
        child.ask_to_end()
    end_s = time.monotonic() + _END_S
    for child in children:
        child.wait(end_s)


def catch_signals() -> threading.Event:
    """Set on Ctrl-C, SIGTERM, or when the process that supervises this one has died."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    follow_parent()
    return stopping


def follow_parent() -> None:
    """Where standard input is a supervisor's pipe: send SIGTERM to this process when it closes."""
    if os.environ.get(PARENT_PIPE):
        threading.Thread(target=_wait_for_parent, name="parent", daemon=True).start()


def try_port(host: str, port: int) -> str:
    """Why this process cannot listen there, in the system's words; "" when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers of an earlier run does not count
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _wait_for_parent() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass(slots=True)
class _Child:
    """A process that is kept alive."""

    name: str
    process: "subprocess.Popen[bytes] | None" = None
    started_s: float = 0.0
    failures: int = 0
    next_start_s: float = 0.0

    def keep(self, now_s: float) -> None:
        """Start it when it is due; note when it has died."""
        if self.process is not None and self.process.poll() is not None:
            self.failures = 1 if now_s - self.started_s > _LONG_RUN_S else self.failures + 1
            pause_s = min(_MAX_PAUSE_S, 0.5 * 2 ** min(self.failures - 1, 10))
            _log.error("%s ended with status %d; again in %.1f s", self.name, self.process.returncode, pause_s)
            self._forget()
            self.next_start_s = now_s + pause_s
        if self.process is None and now_s >= self.next_start_s:
            command = [sys.executable, "-m", "ingest_service.cli", self.name]
            environment = {**os.environ, PARENT_PIPE: "1"}
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)
            self.started_s = now_s

    def ask_to_end(self) -> None:
        """Send SIGTERM; harmless when it does not run."""
        if self.process is not None:
            self.process.terminate()

    def wait(self, end_s: float) -> None:
        """Wait until it has ended, kill it at `end_s`."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._forget()

    def _forget(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None
