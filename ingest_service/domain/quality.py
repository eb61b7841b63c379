"""Quality flags of level readings: range, rate, outliers, real steps, the blind zone of a full tank.

The flag of a reading is a function of the readings stored before it (instants, values, flags) and of nothing else, so
that a reading that comes twice gets the same flag twice, whatever was remembered or forgotten in between. Readings are
flagged, never changed.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest_service.domain.places import Tank
from ingest_service.domain.tank import Contents, least_area_m2

GOOD: Final = 1
SUSPECT: Final = 3
FAIL: Final = 4
MISSING: Final = 9

REMEMBERED: Final = 10
"""Stored readings that the next one is compared with; with itself they make the window of 11."""

ANCHOR_REACH: Final = 20_000
"""How many readings back the last good one still counts; two weeks of one a minute."""

_SIGMAS: Final = 3.0
_MAD_TO_SIGMA: Final = 1.4826
_LEAST_SIGMA_M: Final = 0.005
_FLOOR_M: Final = _SIGMAS * _LEAST_SIGMA_M
_AGREE_M: Final = 0.020
_LEAST_WINDOW: Final = 4
_NOISE_M_PER_MS: Final = 0.005 / 60_000
_RATE_MARGIN: Final = 1.5
_LEAST_STEP_MS: Final = 60_000  # closer readings may still differ by the sensor's own noise
_FARTHEST_M: Final = 4.5
_BELOW_ZERO_M: Final = 0.05
_NEARLY_FULL_PCT: Final = 85.0
_BLIND_MARGIN_M: Final = 0.05


class Stored(NamedTuple):
    """A reading as it is stored."""

    at_ms: int
    value: float | None
    qc: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believable of a level probe at its tank, in the probe's own unit (metres).

    Attributes:
        low, high: range that the probe can see here, inclusive.
        up_per_ms, down_per_ms: how fast its value may rise and fall.
        blind_from: the tank counts as nearly full while the value is at most this (a distance), so that a sudden
            greater one may be an echo out of the blind zone; None where the probe cannot come into its blind zone.
    """

    low: float
    high: float
    up_per_ms: float
    down_per_ms: float
    blind_from: float | None = None


def distance_bounds(tank: Tank, sensor_height_m: float) -> Bounds:
    """What is believable of a distance downward to the water of `tank`."""
    rise, fall = _rates(tank)
    blind_from = None
    if sensor_height_m - tank.full_m < tank.blind_zone_m + _BLIND_MARGIN_M:
        blind_from = sensor_height_m - _level_at(tank, _NEARLY_FULL_PCT)
    high = min(_FARTHEST_M, sensor_height_m + _BELOW_ZERO_M)
    return Bounds(tank.blind_zone_m, high, up_per_ms=fall, down_per_ms=rise, blind_from=blind_from)


def head_bounds(tank: Tank, low: float, high: float) -> Bounds:
    """What is believable of a head of water in `tank` that a pressure probe for `low` to `high` metres reads."""
    rise, fall = _rates(tank)
    return Bounds(low, high, up_per_ms=rise, down_per_ms=fall)


def _rates(tank: Tank) -> tuple[float, float]:
    area_l_per_m = least_area_m2(tank) * 1000.0

    def rate(flow_lpm: float) -> float:
        return _RATE_MARGIN * flow_lpm / area_l_per_m / 60_000 + _NOISE_M_PER_MS

    return rate(tank.max_inflow_lpm), rate(tank.max_outflow_lpm)


def _level_at(tank: Tank, fill_pct: float) -> float:
    contents = Contents.of(tank)
    low, high = tank.outlet_m, tank.full_m
    for _ in range(50):
        middle = (low + high) / 2
        if contents.fill_pct(middle) < fill_pct:
            low = middle
        else:
            high = middle
    return high


def flag_range(low: float, high: float, value: Sequence[float | None], qc: Sequence[int]) -> list[int]:
    """Flag readings of which nothing but the plausible range is known.

    Args:
        low: least plausible value.
        high: greatest plausible value.
        value: None where the probe failed.
        qc: the gateway's verdict each; where it is worse than ours, it is given.

    Returns:
        A flag each: 1, 3, 4 or 9.
    """
    return [
        MISSING
        if reading is None
        else max(FAIL, given)
        if not low <= reading <= high
        else given
        if given >= SUSPECT
        else GOOD
        for reading, given in zip(value, qc, strict=True)
    ]


class Recent:
    """The last readings of one series as they are stored: all that the flag of the next one depends on."""

    __slots__ = ("_anchor", "_bounds", "_good_row", "_since_anchor", "_stored", "_window")

    def __init__(self, bounds: Bounds, stored: Iterable[Stored] = ()) -> None:
        """Begin after `stored`, oldest first: `REMEMBERED` of them, or `ANCHOR_REACH` if none of those is good."""
        self._bounds = bounds
        self._stored: deque[Stored] = deque(maxlen=REMEMBERED)
        self._anchor: Stored | None = None
        self._since_anchor = 0
        self._good_row = 0
        for one in stored:
            self._keep(one)
        self._window = self._values()

    @property
    def bounds(self) -> Bounds:
        """What is believable here."""
        return self._bounds

    @property
    def last_ms(self) -> int:
        """Instant of the newest one; less than every instant if there is none."""
        return self._stored[-1].at_ms if self._stored else -1

    @property
    def first_ms(self) -> int:
        """Instant from which on an added reading would change what is remembered."""
        if len(self._stored) < REMEMBERED or self._anchor is None:
            return -1
        return min(self._stored[0].at_ms, self._anchor.at_ms)

    def flag(self, at_ms: Sequence[int], value: Sequence[float | None], qc: Sequence[int]) -> list[int]:
        """Flag a run of readings that follows the remembered ones, and remember it.

        Args:
            at_ms: instants, rising, later than `last_ms`.
            value: None where the probe failed.
            qc: the gateway's verdict each; where it is worse than ours, it is given.

        Returns:
            A flag each: 1, 3, 4 or 9.
        """
        flags = []
        for instant, reading, given in zip(at_ms, value, qc, strict=True):
            if reading is None:
                flag = MISSING
            else:
                flag = self._check(instant, reading)
                if given >= SUSPECT and given > flag:
                    flag = given
            flags.append(flag)
            self._remember(Stored(instant, reading, flag))
        return flags

    def _check(self, at_ms: int, value: float) -> int:
        bounds, anchor = self._bounds, self._anchor
        if not bounds.low <= value <= bounds.high:
            return FAIL
        if anchor is None or anchor.value is None:
            return GOOD
        if bounds.blind_from is not None and anchor.value <= bounds.blind_from and self._looks_blind(at_ms, value):
            return SUSPECT
        is_outlier = not _is_within_rate(bounds, at_ms - anchor.at_ms, value - anchor.value) or (
            len(self._window) >= _LEAST_WINDOW and _stands_out(self._window, value)
        )
        return SUSPECT if is_outlier and not self._ends_step(at_ms, value) else GOOD

    def _looks_blind(self, at_ms: int, value: float) -> bool:
        """A jump down from nearly full; it stays doubtful until a reading joins the last good one again.

        Time is counted from the reading before, doubtful or not: a long silence may hide an emptying, a long row of
        echoes may not.
        """
        anchor = self._anchor
        if anchor is None or anchor.value is None or value <= anchor.value:
            return False
        before = next((one for one in reversed(self._stored) if one.value is not None), anchor)
        return not _is_within_rate(self._bounds, at_ms - before.at_ms, value - anchor.value)

    def _ends_step(self, at_ms: int, value: float) -> bool:
        """Whether this outlier and the two readings before it, outliers too, agree: the level really went there."""
        seen = [one for one in self._stored if one.value is not None][-2:]
        return len(seen) == 2 and _is_step(self._bounds, seen[0], seen[1], Stored(at_ms, value, GOOD))

    def _remember(self, one: Stored) -> None:
        self._keep(one)
        if self._good_row > REMEMBERED and one.value is not None:
            self._window.append(one.value)
            del self._window[0]
        else:
            self._window = self._values()

    def _keep(self, one: Stored) -> None:
        self._stored.append(one)
        if one.qc == GOOD:
            self._anchor, self._since_anchor = one, 0
            self._good_row += 1
        else:
            self._good_row = 0
            self._since_anchor += 1
            if self._since_anchor >= ANCHOR_REACH:
                self._anchor = None

    def _values(self) -> list[float]:
        """Good values among the remembered ones, from the latest real step on."""
        seen = [one for one in self._stored if one.value is not None]
        for i in range(len(seen) - 1, 1, -1):
            if seen[i].qc == GOOD and _is_step(self._bounds, seen[i - 2], seen[i - 1], seen[i]):
                seen = [one._replace(qc=GOOD) for one in seen[i - 2 : i]] + seen[i:]
                break
        return [one.value for one in seen if one.qc == GOOD and one.value is not None]


def _is_within_rate(bounds: Bounds, span_ms: int, rise: float) -> bool:
    span_ms = max(span_ms, _LEAST_STEP_MS)
    return -bounds.down_per_ms * span_ms <= rise <= bounds.up_per_ms * span_ms


def _stands_out(window: Sequence[float], value: float) -> bool:
    """Hampel's identifier: farther from the median than three sigmas, which are told from the median deviation."""
    middle = _median([*window, value])
    deviation = abs(value - middle)
    if deviation <= _FLOOR_M:
        return False
    return deviation > _SIGMAS * _MAD_TO_SIGMA * _median([abs(one - middle) for one in (*window, value)])


def _median(values: list[float]) -> float:
    values.sort()
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _is_step(bounds: Bounds, first: Stored, second: Stored, third: Stored) -> bool:
    """Whether two suspects and the reading after them lie together, or on one line that a real flow could draw."""
    if first.qc != SUSPECT or second.qc != SUSPECT:
        return False
    if first.value is None or second.value is None or third.value is None:
        return False
    values = (first.value, second.value, third.value)
    if max(values) - min(values) <= _AGREE_M:
        return True
    slope = (second.value - first.value) / (second.at_ms - first.at_ms)
    straight = second.value + slope * (third.at_ms - second.at_ms)
    return (
        abs(third.value - straight) <= _AGREE_M
        and _is_within_rate(bounds, second.at_ms - first.at_ms, second.value - first.value)
        and _is_within_rate(bounds, third.at_ms - second.at_ms, third.value - second.value)
    )
