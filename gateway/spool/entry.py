"""What the spool keeps of one frame, and how it counts."""

from dataclasses import dataclass
from typing import NamedTuple


class Entry(NamedTuple):
    """One frame on its way in.

    Attributes:
        at_ms: instant of measurement, milliseconds since 1970 UTC by the clock as it was.
        mono_ms: the same instant on the monotonic clock of `boot`.
        believed: whether the clock could be believed then.
        boot: id of the boot that `mono_ms` belongs to.
        body: bytes that go to the server, without time.
        readings: how many readings `body` holds, at least 1.
        node: whose frame; only for thinning.
    """

    at_ms: int
    mono_ms: int
    believed: bool
    boot: str
    body: bytes
    readings: int
    node: str


class Stored(NamedTuple):
    """One frame on its way out. `at_ms` will not change any more."""

    id: int
    at_ms: int
    believed: bool
    body: bytes
    readings: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much.

    Attributes:
        max_bytes: cap of the file's content; above it the old is thinned.
        keep_per_s: when thinning, one frame of each node is kept per this many seconds.
        commit_interval_s: seconds that a frame may wait in memory for others to be committed with.
        commit_entries: frames that are committed at once, however short they have waited.
        memory_entries: frames kept in memory while the disk refuses; above it the oldest of them are dropped.
    """

    max_bytes: int = 512 * 1024 * 1024
    keep_per_s: float = 3600.0
    commit_interval_s: float = 5.0
    commit_entries: int = 100
    memory_entries: int = 2000


@dataclass(slots=True)
class Counters:
    """Totals since the spool was made; they survive a kill together with what they count.

    Attributes:
        committed_frames, committed_readings: written durably.
        forgotten_frames, forgotten_readings: deleted after the server's answer.
        thinned: frames deleted to stay below the cap (or lost with a damaged file).
        damaged: frames set aside because their row on disk had changed.
        next_id: id of the next frame; no committed frame's id is used twice.
    """

    committed_frames: int = 0
    committed_readings: int = 0
    forgotten_frames: int = 0
    forgotten_readings: int = 0
    thinned: int = 0
    damaged: int = 0
    next_id: int = 1

    @property
    def depth(self) -> int:
        """Frames on disk."""
        return self.committed_frames - self.forgotten_frames - self.thinned - self.damaged
