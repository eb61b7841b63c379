"""Turn readings that arrived into observations at assets: place, check, derive."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest_service.domain.gauge import Gauge, Gauges, Level, index_at, quantity_of
from ingest_service.domain.places import Register
from ingest_service.domain.quality import ANCHOR_REACH, GOOD, REMEMBERED, Bounds, Recent, Stored, flag_range
from ingest_service.services.ports import Observations, Points, SeriesKey

EARLIEST_MS: Final = 1_704_067_200_000
"""2024-01-01 UTC; a reading before it was taken by a clock that did not know the time."""

_AHEAD_MS: Final = 5 * 60_000
_MOST_SERIES: Final = 20_000
_DERIVED: Final = ("level_m", "volume_l", "fill_pct")


@dataclass(slots=True)
class Arrived:
    """A run of readings of one channel as a pack brought them.

    Attributes:
        node: `Node.key`, "{gateway}/{id}".
        channel: catalogue key, with a digit 2 to 9 behind it for a second probe of the kind.
        at_ms: instants in milliseconds since 1970 UTC, rising.
        value: in the quantity's unit; None means tried and failed.
        qc: the gateway's verdict each: 2 (not evaluated), 3, 4, or 9 with None.
    """

    node: str
    channel: str
    at_ms: list[int]
    value: list[float | None]
    qc: list[int]


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings of a run that cannot be recorded; the rest of the run was.

    Attributes:
        run: index of the run in the call.
        reason: key: "unknown_node", "unknown_channel", "no_placement" or "absurd_time".
        detail: numbers and names for the operator, plain English.
    """

    run: int
    reason: str
    detail: str


@dataclass(slots=True)
class Recorded:
    """What a call made of its runs: observations to be stored, and what was refused."""

    points: list[Points] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Recorder:
    """Places, checks and derives; it remembers the last readings of each level series, and writes nothing.

    The caller stores the points of one call of `record` before it calls again, in one write; after a failed write it
    calls `forget`. So the flag of a reading depends only on what is stored before it, and a repeat changes nothing.
    """

    def __init__(self, observations: Observations, register: Register) -> None:
        self._observations = observations
        self._recent: OrderedDict[SeriesKey, Recent] = OrderedDict()
        self._points: list[Points] = []
        self._open: dict[SeriesKey, Points] = {}
        self.use(register)

    def use(self, register: Register) -> None:
        """Take `register` as the truth from now on."""
        self._gauges = Gauges(register)
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered, because the last points were not stored."""
        self._recent.clear()

    def record(self, runs: Sequence[Arrived], now_ms: int) -> Recorded:
        """Make observations of all runs (of many packs, in order of arrival).

        Args:
            runs: what arrived.
            now_ms: the present instant; readings later than five minutes from it are refused.

        Raises:
            StoreUnavailableError: the store could not be asked for earlier readings; nothing was recorded.
        """
        recorded = Recorded()
        self._points, self._open = recorded.points, {}
        try:
            for number, run in enumerate(runs):
                for reason, detail in self._record_run(run, now_ms + _AHEAD_MS):
                    recorded.refused.append(Refused(number, reason, detail))
        except BaseException:
            self.forget()
            raise
        return recorded

    def keys_of(self, run: Arrived) -> set[SeriesKey]:
        """Every series that readings of a run may go to."""
        gauges = self._gauges.of(run.node, run.channel) or ()
        derived = {SeriesKey(gauge.asset, name) for gauge in gauges if gauge.level is not None for name in _DERIVED}
        return derived | {SeriesKey(gauge.asset, gauge.quantity) for gauge in gauges}

    def _record_run(self, run: Arrived, latest_ms: int) -> Iterator[tuple[str, str]]:
        gauges = self._gauges.of(run.node, run.channel) if self._gauges.has_node(run.node) else None
        if gauges is None:
            yield "unknown_node", f"{run.node} is not in the places file"
            return
        if not gauges and quantity_of(run.channel) is None:
            yield "unknown_channel", f"{run.node} sent {run.channel}, which the catalogue does not have"
            return
        at_ms = run.at_ms
        first, last = bisect_left(at_ms, EARLIEST_MS), bisect_right(at_ms, latest_ms)
        if last - first < len(at_ms):
            yield "absurd_time", f"{len(at_ms) - last + first} of {run.channel} from {at_ms[0]} to {at_ms[-1]} ms"
        unplaced = 0
        while first < last:
            here = index_at(gauges, at_ms[first])
            end = _end(gauges, here, at_ms, first, last)
            if here < 0 or at_ms[first] >= gauges[here].to_ms:
                unplaced += end - first
            elif first == 0 and end == len(at_ms):
                self._record_part(gauges[here], at_ms, run.value, run.qc)
            else:
                self._record_part(gauges[here], at_ms[first:end], run.value[first:end], run.qc[first:end])
            first = end
        if unplaced:
            yield "no_placement", f"{unplaced} of {run.node} {run.channel} stood nowhere at that time"

    def _record_part(self, gauge: Gauge, at_ms: list[int], value: list[float | None], given: list[int]) -> None:
        key = SeriesKey(gauge.asset, gauge.quantity)
        if gauge.bounds is None:
            self._put(key, at_ms, value, flag_range(gauge.low, gauge.high, value, given))
            return
        flags = self._flag_level(key, gauge.bounds, at_ms, value, given)
        self._put(key, at_ms, value, flags)
        if gauge.level is not None:
            level_m, volume_l, fill_pct = _derive(gauge.level, value)
            self._put(SeriesKey(gauge.asset, "level_m"), at_ms, level_m, flags)
            self._put(SeriesKey(gauge.asset, "volume_l"), at_ms, volume_l, flags)
            self._put(SeriesKey(gauge.asset, "fill_pct"), at_ms, fill_pct, flags)

    def _put(self, key: SeriesKey, at_ms: list[int], value: list[float | None], qc: list[int]) -> None:
        """Add points; those that follow on the last ones of their series in this call join them."""
        last = self._open.get(key)
        if last is not None and last.at_ms[-1] < at_ms[0]:
            last.at_ms += at_ms
            last.value += value
            last.qc += qc
        else:
            # Own lists, because later runs are added to them.
            fresh = self._open[key] = Points(key, at_ms[:], value[:], qc[:])
            self._points.append(fresh)

    def _flag_level(
        self, key: SeriesKey, bounds: Bounds, at_ms: list[int], value: list[float | None], given: list[int]
    ) -> list[int]:
        newest = self._recent.get(key)
        if newest is not None and newest.last_ms < at_ms[0] and newest.bounds is bounds:
            return newest.flag(at_ms, value, given)
        recent = self._recall(key, bounds, at_ms[0])
        flags = recent.flag(at_ms, value, given)
        if newest is None or newest.last_ms <= at_ms[-1]:
            # Newer readings may be in the store already: then these are late, and nothing is known of the newest.
            self._remember(key, recent if self._is_newest(key, at_ms[-1]) else None)
        elif newest.first_ms <= at_ms[-1]:
            self._remember(key, None)
        return flags

    def _remember(self, key: SeriesKey, recent: Recent | None) -> None:
        self._recent.pop(key, None)
        if recent is not None:
            self._recent[key] = recent
            if len(self._recent) > _MOST_SERIES:
                self._recent.popitem(last=False)

    def _is_newest(self, key: SeriesKey, at_ms: int) -> bool:
        latest = self._observations.latest([key]).get(key)
        return (latest is None or latest.at_ms <= at_ms) and all(
            points.at_ms[-1] <= at_ms for points in self._points if points.key == key
        )

    def _recall(self, key: SeriesKey, bounds: Bounds, before_ms: int) -> Recent:
        """What is stored, or will be by this call, before an instant."""
        stored = self._before(key, before_ms, REMEMBERED)
        if len(stored) == REMEMBERED and all(one.qc != GOOD for one in stored):
            stored = self._before(key, before_ms, ANCHOR_REACH)
        return Recent(bounds, stored)

    def _before(self, key: SeriesKey, before_ms: int, count: int) -> list[Stored]:
        points = [self._observations.before(key, before_ms, count)]
        points += [pending for pending in self._points if pending.key == key]
        known: dict[int, Stored] = {}
        for some in points:
            known |= {one[0]: Stored(*one) for one in zip(some.at_ms, some.value, some.qc, strict=True)}
        return [known[at_ms] for at_ms in sorted(known) if at_ms < before_ms][-count:]


def _end(gauges: Sequence[Gauge], here: int, at_ms: list[int], first: int, last: int) -> int:
    """Index behind the readings from `first` on that have the same placement, or lack of one."""
    limits = [gauges[here].to_ms] if here >= 0 and at_ms[first] < gauges[here].to_ms else []
    if here + 1 < len(gauges):
        limits.append(gauges[here + 1].from_ms)
    if not limits or at_ms[last - 1] < min(limits):
        return last
    return bisect_left(at_ms, min(limits), first, last)


def _derive(
    level: Level, value: list[float | None]
) -> tuple[list[float | None], list[float | None], list[float | None]]:
    """Level in metres (to 0.1 mm), usable litres and percent for each value of a probe; None where it failed."""
    offset_m, sign, contents = level
    level_m = [None if one is None else round(offset_m + sign * one, 4) for one in value]
    volume_l = [None if one is None else contents.usable_l(one) for one in level_m]
    fill_pct = [None if one is None else contents.fill_pct(one) for one in level_m]
    return level_m, volume_l, fill_pct
