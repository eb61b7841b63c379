"""A real mosquitto on a free port of the loopback address, to be killed and started again."""

import contextlib
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.support.programs import need_program
from tests.support.wait import until

OPEN = """listener PORT 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """`start`, `kill` (-9; it keeps nothing on disk, so a kill wipes it), `stop`; use as a context manager."""

    def __init__(self, folder: Path, extra: str = "", config: str = OPEN) -> None:
        """`config` is all of the configuration, PORT in it stands for the port; `extra` lines are added."""
        self.port = free_port()
        self.host = "127.0.0.1"
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._config.write_text(f"{config.replace('PORT', str(self.port))}\n{extra}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        program = need_program("mosquitto")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)
        until(self._answers, what="for mosquitto to listen")
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
