"""What the spool writes to the device: four nodes at one frame per 10 s, appended, committed, answered, deleted."""

import os
import tempfile
import time
from pathlib import Path

from gateway.spool import Entry, Limits, Spool

FRAMES = 4000
FRAMES_A_COMMIT = 1  # four nodes at one frame per 10 s, committed every 2 s: hardly ever two together
BODY = b"T01 distance_m=1.234 flow_lpm=12.3 volume_total_l=123456.7 battery_v=12.61"


def run() -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        return _measure(Path(folder) / "spool.db")


def _measure(path: Path) -> dict[str, object]:
    spool = Spool.open(path, Limits(commit_interval_s=3600, commit_entries=10_000))
    os.sync()
    device, process, began_s = device_bytes(path), process_bytes(), time.monotonic()
    for number in range(0, FRAMES, FRAMES_A_COMMIT):
        for frame in range(number, number + FRAMES_A_COMMIT):
            node = f"T0{frame % 4 + 1}"
            at_ms = 1_793_491_200_000 + frame * 2500
            state = {node: f'{{"seq":{frame},"up":{frame * 2500},"pulses":{frame * 17},"litres":{frame * 0.0378:.4f}}}'}
            entry = Entry(at_ms, frame * 2500, believed=True, boot="8a11c0de", body=BODY, readings=4, node=node)
            spool.append(entry, state)
        spool.commit()
        spool.forget([stored.id for stored in spool.take_fresh()])
    seconds = time.monotonic() - began_s
    spool.close()
    os.sync()
    figures: dict[str, object] = {
        "device_bytes_per_frame": round((device_bytes(path) - device) / FRAMES),
        "process_bytes_per_frame": round((process_bytes() - process) / FRAMES),
        "commits_per_s": round(FRAMES / FRAMES_A_COMMIT / seconds),
        "target_device_bytes_per_frame": 10_000,
    }
    figures |= _measure_plain_log(path.with_name("plain.log"))
    return figures | {"idle_bytes_in_10_s": _measure_idle(path)}


def _measure_plain_log(path: Path) -> dict[str, object]:
    """The limit: a file that only grows, synchronised after each frame; it could neither forget nor find."""
    os.sync()
    device, began_s = device_bytes(path), time.monotonic()
    with path.open("ab", buffering=0) as log:
        for _ in range(FRAMES):
            log.write(BODY)
            os.fdatasync(log.fileno())
    seconds = time.monotonic() - began_s
    os.sync()
    written = round((device_bytes(path) - device) / FRAMES)
    return {"plain_log_device_bytes_per_frame": written, "plain_log_commits_per_s": round(FRAMES / seconds)}


def _measure_idle(path: Path) -> int:
    spool = Spool.open(path)
    before, end_s = process_bytes(), time.monotonic() + 10
    while time.monotonic() < end_s:
        if spool.seconds_to_commit() is not None:
            spool.commit()
        time.sleep(0.1)
    written = process_bytes() - before
    spool.close()
    return written


def process_bytes() -> int:
    """Bytes that this process caused to be written to storage."""
    words = Path("/proc/self/io").read_text().split()
    return int(words[words.index("write_bytes:") + 1])


def device_bytes(path: Path) -> int:
    """Bytes written to the device under `path`, by everybody."""
    number = path.parent.stat().st_dev
    for line in Path("/proc/diskstats").read_text().splitlines():
        words = line.split()
        if (int(words[0]), int(words[1])) == (os.major(number), os.minor(number)):
            return int(words[9]) * 512
    return 0
