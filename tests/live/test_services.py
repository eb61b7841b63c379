"""Units for systemd are sound, and the gateway gives systemd the signs of life that its unit asks for."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import need_program

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"


@pytest.mark.parametrize("name", ["monuoc-gateway", "monuoc"])
def test_a_unit_is_sound_and_locked_down(name: str, tmp_path: Path) -> None:
    analyze = need_program("systemd-analyze")
    unit = tmp_path / f"{name}.service"
    program = Path(sys.executable).parent  # where the project is installed
    unit.write_text((UNITS / unit.name).read_text().replace("/opt/monuoc/bin", str(program)))
    said = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert [line for line in said.stderr.splitlines() if unit.name in line] == []
    assert said.returncode == 0
    safe = [analyze, "security", "--offline=true", "--threshold=25", unit]
    assert subprocess.run(safe, capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["path", "abstract"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify") if request.param == "path" else f"\0{tmp_path}/notify")
        door.settimeout(20)
        yield door


def start_watched(folder: Path, door: socket.socket) -> "subprocess.Popen[bytes]":
    address = door.getsockname()
    config = folder / "gateway.toml"
    config.write_text(f'id = "try"\ndata_dir = "{folder / "data"}"\n[broker]\nport = 1\n')
    name = "@" + address[1:].decode() if isinstance(address, bytes) else address
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "run", "--config", str(config)],
        env={**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"},
        stderr=subprocess.DEVNULL,
    )


def test_the_gateway_says_that_it_is_ready_lives_and_ends(door: socket.socket, tmp_path: Path) -> None:
    gateway = start_watched(tmp_path, door)
    try:
        assert [door.recv(100) for _ in range(4)] == [b"READY=1"] + [b"WATCHDOG=1"] * 3
        gateway.terminate()
        said = door.recv(100)
        while said == b"WATCHDOG=1":
            said = door.recv(100)
        assert said == b"STOPPING=1"
        assert gateway.wait(20) == 0
    finally:
        gateway.kill()
        gateway.wait()


def hear_to_the_end(door: socket.socket) -> None:
    while True:
        door.recv(100)


def test_a_hung_gateway_falls_silent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(20)
        gateway = start_watched(tmp_path, door)
        try:
            assert door.recv(100) == b"READY=1"
            assert door.recv(100) == b"WATCHDOG=1"
            gateway.send_signal(signal.SIGSTOP)
            door.settimeout(2.5)  # the main loop turns at least once a second
            with pytest.raises(TimeoutError):
                hear_to_the_end(door)
        finally:
            gateway.kill()
            gateway.wait()
