"""The gateway's clock: what time it is, and whether that can be believed.

A Raspberry Pi without a battery-backed clock wakes up at the time it was shut down, which looks plausible and is wrong.
So each instant carries the monotonic time as well, by which it is put right when the network has brought the time.
"""

import ctypes
import hashlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from gateway.config import ClockConfig

State = Literal["synced", "trusted", "unknown"]

EARLIEST_MS: Final = 1_767_225_600_000
"""2026-01-01 UTC: this program did not exist before."""
JUMP_MS: Final = 2000
"""The wall clock moving this much against the monotonic one is a jump, not a correction by slewing."""

_TELL_MS: Final = 50
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
_TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Stamp(NamedTuple):
    """One instant.

    Attributes:
        at_ms: milliseconds since 1970 UTC by the wall clock.
        mono_ms: milliseconds on the monotonic clock of this boot, suspend included.
        believed: whether `at_ms` can be true.
    """

    at_ms: int
    mono_ms: int
    believed: bool


class Earlier(NamedTuple):
    """The newest believed instant that is known from before this start."""

    boot: str
    at_ms: int
    mono_ms: int


class Clock:
    """Tells the time. Safe from several threads: each value is written whole.

    Believed is the wall clock when the kernel says that it is synchronised (and from then on until it jumps, also
    without a network: a quartz loses a second or two a day), or when a fitted clock is trusted and it is not before
    the newest believed instant. A jump while not synchronised ends the belief.

    Attributes:
        boot: what `mono_ms` counts from; another one after a restart of the machine.
        jumps: how often the wall clock has jumped since the start.
    """

    def __init__(
        self,
        config: ClockConfig,
        boot: str,
        earlier: Earlier | None = None,
        *,
        read_wall_ms: Callable[[], float],
        read_mono_ms: Callable[[], float],
        is_synchronised: Callable[[], bool],
    ) -> None:
        self.boot = boot if _is_real(config) else f"{boot}-{_fingerprint(config)}"
        self.jumps = 0
        self._config = config
        self._earlier = earlier
        self._read_wall_ms = read_wall_ms
        self._read_mono_ms = read_mono_ms
        self._is_synchronised = is_synchronised
        self._offset_ms: float | None = None
        self._told_ms: float | None = None
        self._synced = False
        self._lied = False

    def now(self) -> Stamp:
        """This instant."""
        wall_ms, mono_ms = self._look()
        at_ms = self._scale(wall_ms)
        return Stamp(at_ms, int(mono_ms * self._config.factor), self._judge(at_ms) != "unknown")

    @property
    def state(self) -> State:
        """Whether the network has set the wall clock, a trusted fitted clock has kept it, or neither."""
        wall_ms, _ = self._look()
        return self._judge(self._scale(wall_ms))

    def check(self) -> int | None:
        """Look at the clock anew; to be called every few seconds.

        Returns:
            What to add to `mono_ms` of this boot to get the wall time, when the clock has become believable or was
            corrected since the last call; else None.
        """
        wall_ms, mono_ms = self._look()
        if self._is_synchronised():  # followed at each look: the network corrects a clock in small steps
            self._synced, self._lied, self._offset_ms = True, False, wall_ms - mono_ms
        if self._judge(self._scale(wall_ms)) == "unknown":
            self._told_ms = None
            return None
        offset_ms = wall_ms - mono_ms
        if self._told_ms is not None and abs(offset_ms - self._told_ms) <= _TELL_MS:
            return None
        self._told_ms = offset_ms
        return self._scale(wall_ms) - int(mono_ms * self._config.factor)

    def _look(self) -> tuple[float, float]:
        """Read both clocks and notice when one has moved against the other."""
        mono_ms = self._read_mono_ms()
        wall_ms = self._read_wall_ms()
        late_ms = self._read_mono_ms() - mono_ms  # the machine may have done something else in between
        offset_ms = wall_ms - mono_ms
        if self._offset_ms is None:
            self._offset_ms = offset_ms
            self._synced = self._carries_on(offset_ms)
        elif abs(offset_ms - self._offset_ms) > JUMP_MS + late_ms:
            self.jumps += 1
            self._offset_ms = offset_ms
            self._synced = self._is_synchronised()
            self._lied = not self._synced
        return wall_ms, mono_ms

    def _carries_on(self, offset_ms: float) -> bool:
        """Whether a believed instant of this boot shows that the clock was right and has not jumped since."""
        earlier, config = self._earlier, self._config
        if earlier is None or earlier.boot != self.boot or config.trust:
            return False
        was_ms = earlier.at_ms - earlier.mono_ms
        is_ms = config.origin_ms + (offset_ms - config.real_origin_ms) * config.factor
        return abs(is_ms - was_ms) <= JUMP_MS * max(1.0, config.factor)

    def _judge(self, at_ms: int) -> State:
        if at_ms < EARLIEST_MS:
            return "unknown"
        if self._synced:
            return "synced"
        not_before_ms = self._earlier.at_ms if self._earlier else 0
        return "trusted" if self._config.trust and not self._lied and at_ms >= not_before_ms else "unknown"

    def _scale(self, wall_ms: float) -> int:
        config = self._config
        return int(config.origin_ms + (wall_ms - config.real_origin_ms) * config.factor)


def open_clock(config: ClockConfig, earlier: Earlier | None = None) -> Clock:
    """The machine's own clock.

    Args:
        config: whether a fitted clock is trusted; the fast clock of demonstrations.
        earlier: newest believed instant from before, None if there is none.
    """
    return Clock(
        config,
        read_boot(),
        earlier,
        read_wall_ms=lambda: time.time_ns() / 1e6,
        read_mono_ms=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6,
        is_synchronised=is_synchronised,
    )


def read_boot() -> str:
    """Eight characters that differ from one start of the machine to the next."""
    try:
        return _BOOT_ID.read_text().strip()[:8]
    except OSError:
        return uuid.uuid4().hex[:8]  # unknown: nothing of an earlier process may be compared with


def is_synchronised() -> bool:
    """Whether the network has set the clock: the kernel says so, or systemd-timesyncd has since the machine started."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)  # struct timex with modes 0: only ask
    answer = ctypes.CDLL(None).adjtimex(buffer)
    return 0 <= answer < _TIME_ERROR or _TIMESYNC.exists()


def _is_real(config: ClockConfig) -> bool:
    return (config.factor, config.origin_ms, config.real_origin_ms) == (1.0, 0, 0)


def _fingerprint(config: ClockConfig) -> str:
    words = f"{config.factor} {config.origin_ms} {config.real_origin_ms}"
    return hashlib.sha256(words.encode()).hexdigest()[:6]
