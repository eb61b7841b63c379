"""What the real gateway takes of a machine with four nodes at one frame per 10 s: memory, processor, writes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.live.relay.feeder import Feeder
from tests.live.relay.peer import Peer
from tests.support.broker import Mosquitto
from tests.support.wait import until

MEASURED_S = 60.0
NODES = 4
INTERVAL_S = 10.0


def run() -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        with Mosquitto(folder) as broker, Peer(broker.port) as peer, Feeder(NODES, INTERVAL_S) as feeder:
            config = feeder.write_config(folder, broker.port, commit_interval_s=5.0)
            command = [sys.executable, "-m", "gateway.cli", "run", "--config", str(config)]
            with (folder / "gateway.log").open("wb") as log:
                gateway = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                until(lambda: len(peer.points) >= 16, 60, "for the first frames")
                figures = _measure(gateway.pid, feeder)
                feeder.stop_feeding()
                return figures | _measure_idle(gateway.pid)
            finally:
                gateway.terminate()
                gateway.wait(20)


def _measure(process: int, feeder: Feeder) -> dict[str, object]:
    cpu_s, written, frames = _cpu_s(process), _written_bytes(process), sum(feeder.sent.values())
    time.sleep(MEASURED_S)
    frames = sum(feeder.sent.values()) - frames
    return {
        "resident_mb": round(_status_kb(process, "VmRSS") / 1024, 1),
        "resident_peak_mb": round(_status_kb(process, "VmHWM") / 1024, 1),
        "resident_target_mb": 45,
        "cpu_percent_of_one_core": round(100 * (_cpu_s(process) - cpu_s) / MEASURED_S, 2),
        "cpu_target_percent": 1,
        "frames": frames,
        "written_bytes_per_frame": round((_written_bytes(process) - written) / frames),
        "written_target_bytes_per_frame": 10_000,
    }


def _measure_idle(process: int) -> dict[str, object]:
    """Nothing is heard: the last answers are still written down once, then nothing is."""
    time.sleep(65)
    written = _written_bytes(process)
    time.sleep(20)
    return {"idle_written_bytes_in_20_s": _written_bytes(process) - written}


def _cpu_s(process: int) -> float:
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _written_bytes(process: int) -> int:
    words = Path(f"/proc/{process}/io").read_text().split()
    return int(words[words.index("write_bytes:") + 1])


def _status_kb(process: int, key: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))
