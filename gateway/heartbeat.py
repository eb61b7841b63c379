"""What the gateway says about itself: heartbeat to the server, signs of life to systemd."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from gateway.clock import Clock
from gateway.spool import Spool

OFFLINE: Final = b'{"v":1,"online":false}'
"""The will: what the broker says when the gateway is gone."""

_THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")


class Supervisor:
    """Signs of life to systemd (sd_notify); does nothing where nobody watches.

    Args:
        environ: the process's environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval_s = int(environ.get("WATCHDOG_USEC", 0)) / 1e6 / 4 if watched else 0.0
        self._due_s = 0.0

    def tell(self, word: str) -> None:
        """Say READY=1, STOPPING=1 and so on; a supervisor that does not listen is no trouble of ours."""
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.sendto(word.encode(), socket.MSG_DONTWAIT, self._address)

    def tell_alive(self) -> None:
        """To be called each time the main loop turns; speaks four times in the span that the supervisor allows."""
        if self._interval_s and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + self._interval_s
            self.tell("WATCHDOG=1")


class NodeFacts(Protocol):
    """How a node has been heard; what the heartbeat needs of the collector's counters."""

    @property
    def last_at_ms(self) -> int:
        """Instant of its last frame."""

    @property
    def frames(self) -> int:
        """Good frames."""

    @property
    def gaps(self) -> int:
        """Frames that never came."""

    @property
    def bad(self) -> int:
        """Damaged lines on its port."""

    @property
    def reboots(self) -> int:
        """Restarts."""

    @property
    def interval_s(self) -> float:
        """Seconds between its frames."""


def describe(
    clock: Clock, spool: Spool, nodes: Mapping[str, NodeFacts], data_dir: Path, version: str, *, interval_s: float
) -> dict[str, object]:
    """The heartbeat's body. Instants are in seconds since 1970 UTC, None where nothing is known."""
    return {
        "v": 1,
        "online": True,
        "at": clock.now().at_ms / 1000,
        "boot": clock.boot,
        "version": version,
        "clock": clock.state,
        "interval_s": interval_s,
        "spool": _describe_spool(spool),
        "nodes": {node: _describe_node(facts) for node, facts in nodes.items()},
        "disk_free_bytes": shutil.disk_usage(data_dir).free,
        "cpu_c": read_cpu_c(),
    }


def _describe_node(facts: NodeFacts) -> dict[str, object]:
    return {
        "last_at": facts.last_at_ms / 1000,
        "frames": facts.frames,
        "gaps": facts.gaps,
        "bad": facts.bad,
        "reboots": facts.reboots,
        "interval_s": facts.interval_s,
    }


def _describe_spool(spool: Spool) -> dict[str, object]:
    counters, oldest_ms = spool.counters(), spool.oldest_at_ms()
    return {
        "depth": spool.depth(),
        "bytes": spool.used_bytes(),
        "oldest_at": None if oldest_ms is None else oldest_ms / 1000,
        "committed_readings": counters.committed_readings,
        "committed_frames": counters.committed_frames,
        "forgotten_readings": counters.forgotten_readings,
        "thinned": counters.thinned,
        "damaged": counters.damaged,
        "held": spool.held,
        "dropped": spool.dropped,
        "trouble": spool.trouble,
    }


def read_cpu_c(path: Path = _THERMAL) -> float | None:
    """The processor's temperature in degrees Celsius; None where the machine does not tell."""
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None
