"""A real InfluxDB 1.8 on a free port of the loopback address, to be killed, held up and started again."""

import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Self

import pytest

from tests.support.broker import free_port
from tests.support.wait import until

VERSION = "v1.8.10"
ENGINES = Path(os.environ.get("MONUOC_ENGINES") or Path(__file__).parents[2] / "var" / "engines")

CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:RPC"
[meta]
dir = "FOLDER/meta"
[data]
dir = "FOLDER/data"
wal-dir = "FOLDER/wal"
index-version = "tsi1"
[http]
bind-address = "127.0.0.1:PORT"
log-enabled = false
auth-enabled = AUTH
[monitor]
store-enabled = false
"""


class Influx:
    """`start`, `kill` (-9), `hold` (it answers nothing), `go_on`; use as a context manager."""

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config, self._log = folder / "influxdb.conf", folder / "influxd.log"
        words = CONFIG.replace("RPC", str(free_port())).replace("FOLDER", str(folder)).replace("PORT", str(self.port))
        self._config.write_text(words.replace("AUTH", str(auth).lower()))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        program = need_influxd()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-config", str(self._config)], stdout=log, stderr=log)
        until(self._answers, 30, "for influxd to answer")
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=2) as reply:
                return bool(reply.status == 204)
        except OSError:
            return False

    def ask(self, words: str, user: str = "", database: str = "") -> str:
        """What an InfluxQL statement yields, as its JSON text, whatever its status."""
        data = urllib.parse.urlencode({"q": words, "db": database, "epoch": "ms"}).encode()
        headers = {"Authorization": f"Token {user}"} if user else {}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"{self.url}/query", data, headers), timeout=10
            ) as reply:
                return str(reply.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())

    def write(self, bucket: str, lines: str) -> None:
        """Write as a foreign program would."""
        database, _, policy = bucket.partition("/")
        url = f"{self.url}/write?db={database}&rp={policy}&precision=ms"
        with urllib.request.urlopen(url, lines.encode(), timeout=10):
            pass

    def hold(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def need_influxd() -> str:
    """Path of the program that `make services` built."""
    program = ENGINES / f"influxd-{VERSION}"
    if program.exists():
        return str(program)
    words = f"there is no {program}; `make services` builds it where Go is installed"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
