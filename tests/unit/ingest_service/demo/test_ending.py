"""The demonstration ends whole: by Ctrl-C, by a closed window, by a supervisor's word."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wait import until


def family(pid: int) -> set[int]:
    """Process ids of all that stem from `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | family(child)
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_goes_on_after_the_demonstration(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "ingest_service.cli", "demo", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert any("→" in line for line in demo.stdout)
        parts = family(demo.pid)
        assert len(parts) >= 11  # village, four nodes, gateway, run, broker twice, listen, watch, web
        demo.send_signal(number)
        assert "Đã dừng" in demo.stdout.read()
        assert demo.wait(30) == 0
    until(lambda: not any(map(lives, parts)), 15, "for the parts to end")
