"""The programs of the demonstration as child processes, each with its own log file."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest_service.supervise import PARENT_PIPE


class PartDiedError(RuntimeError):
    """A program of the demonstration ended by itself; the message ends with its last words."""


class Part:
    """One child process, in a process group of its own so that Ctrl-C reaches only the demonstration."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._env = {**os.environ, PARENT_PIPE: "1", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it prints is appended to its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._env, start_new_session=True
            )

    def check(self) -> None:
        """Raise `PartDiedError` when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise PartDiedError(died(self.name, self._process.returncode, self.log))

    def kill(self) -> None:
        """End it at once, without a word to it; harmless when it has ended."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process)

    def stop(self, timeout_s: float = 15.0) -> None:
        """Ask it to end, kill it when it does not; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)  # nothing happens when it has ended
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_group(process)
        _close_input(process)


class Village:
    """The simulated village: commands in, events out, as JSON lines."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.log = folder / "village.log"
        self._command = list(command)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None

    def start(self) -> dict[str, Any]:
        """Start it; the `ready` event is returned when all nodes run."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        return self.wait("ready", 30)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self._events.put(json.loads(line))
        self._events.put({"event": "ended"})

    def check(self) -> None:
        """Raise `PartDiedError` when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise PartDiedError(died("village", self._process.returncode, self.log))

    def tell(self, command: Mapping[str, object]) -> None:
        """Hand it one command."""
        if self._process is None or self._process.stdin is None:
            raise PartDiedError("the village does not run")
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PartDiedError(died("village", self._process.wait(), self.log)) from error

    def wait(self, event: str, timeout_s: float) -> dict[str, Any]:
        """The next event of that name; others before it are dropped."""
        while True:
            try:
                found = self._events.get(timeout=timeout_s)
            except queue.Empty:
                raise PartDiedError(f"the village did not say {event!r} within {timeout_s:.0f} s") from None
            if found.get("event") == event:
                return found
            if found.get("event") == "ended" and self._process is not None:
                raise PartDiedError(died("village", self._process.wait(), self.log))

    def stop(self) -> None:
        """End it and its nodes; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        _close_input(process)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            kill_group(process)
        if self._listener is not None:
            self._listener.join(5)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process together with the children of its own session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _close_input(process)


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def died(name: str, status: int, log: Path) -> str:
    """Words for a program that ended: name, status, the end of its log."""
    words = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
    return "\n".join([f"{name} ended with status {status}; its last words ({log}):", *words])
