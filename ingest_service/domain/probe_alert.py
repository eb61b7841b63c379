"""Verdicts about level probes from their readings: out of range, stuck."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from ingest_service.domain.alert import HOUR_MS, MINUTE_MS, Covered, Evidence, Rule, Verdict, enough, proven, reach_ms
from ingest_service.domain.places import Tank
from ingest_service.domain.quality import FAIL, GOOD
from ingest_service.domain.tank import Contents

_SLOT_MS = 10 * MINUTE_MS
_BRIM_PCT = 95.0


def judge_range(
    rule: Rule, at_ms: Sequence[int], qc: Sequence[int], *, after_ms: int, interval_ms: float
) -> Iterator[Verdict]:
    """Decide whether a probe sees nothing believable, by all its readings whatever their flag.

    Args:
        rule: with the asset's numbers.
        at_ms: instants of all readings, rising, beginning `look_back_ms` before `after_ms`.
        qc: flag each.
        after_ms: where the last call ended.
        interval_ms: how far apart readings are expected.
    """
    failed = [0, *accumulate(int(flag == FAIL) for flag in qc)]
    good = [0, *accumulate(int(flag == GOOD) for flag in qc)]
    sides = (
        (True, failed, rule.raise_for_min * MINUTE_MS, rule.limits["raise_share"]),
        (False, good, rule.clear_for_min * MINUTE_MS, rule.limits["clear_share"]),
    )
    for number in range(bisect_right(at_ms, after_ms), len(at_ms)):
        for raises, counted, for_ms, least in sides:
            window = proven(at_ms, 0, number, for_ms, interval_ms)
            if window is None:
                continue
            samples = max(1, window.samples)  # of no time at all there is the reading itself
            share = (counted[number + 1] - counted[number + 1 - samples]) / samples
            if share >= least:
                evidence: Evidence = {"value": round(share, 3), "unit": "share", "threshold": least, **window.told()}
                yield Verdict(window.to_ms, raises, rule.severity, "out_of_range", evidence)
                break


class Spread(NamedTuple):
    """Least and greatest good value of a stretch, their mean, how many there were; None without any."""

    least: float | None
    greatest: float | None
    mean: float | None
    samples: int

    def width(self) -> float | None:
        """How far the values lie apart, to 0.1 mm; None without any."""
        return None if self.least is None or self.greatest is None else round(self.greatest - self.least, 4)


Ask = Callable[[str, int, int], Spread]
"""Asks for the spread of a quantity of the asset in [from, to)."""


def stuck_instants(at_ms: Sequence[int], after_ms: int) -> list[int]:
    """Readings at which a stuck probe is looked for: the first of each ten minutes, for the looking is costly."""
    return [now for before, now in pairwise(at_ms) if now > after_ms and now // _SLOT_MS != before // _SLOT_MS]


@dataclass(frozen=True, slots=True)
class StuckProbe:
    """Looks for a level probe that repeats itself though the water must move.

    Attributes:
        rule: with the asset's numbers.
        tank: where the probe is.
        quantity: what the probe measures, in metres.
        interval_ms: how far apart readings are expected.
        ask: for the spread of a quantity at the asset.
    """

    rule: Rule
    tank: Tank
    quantity: str
    interval_ms: float
    ask: Ask

    def judge(self, at_ms: int, fill_pct: float, open_for: str) -> Verdict | None:
        """Decide at one reading.

        Args:
            at_ms: its instant.
            fill_pct: fill then; a tank at its brim stands still by right, whatever flows.
            open_for: reason of the open alert; "" if there is none.
        """
        if open_for:
            return self._moves(at_ms, open_for)
        return self._repeats(at_ms) or (self._stands_though_flowing(at_ms) if fill_pct < _BRIM_PCT else None)

    def _repeats(self, at_ms: int) -> Verdict | None:
        for_ms, within_m = self.rule.limits["identical_h"] * HOUR_MS, self.rule.limits["identical_m"]
        spread = self._still(at_ms, for_ms, within_m)
        return self._verdict(at_ms, for_ms, spread, "identical", within_m) if spread else None

    def _stands_though_flowing(self, at_ms: int) -> Verdict | None:
        for_ms, within_m = self.rule.raise_for_min * MINUTE_MS, self.rule.limits["still_m"]
        net_lpm = self._net_lpm(at_ms, for_ms)
        if net_lpm is None:
            return None
        area_m2 = Contents.of(self.tank).capacity_l / 1000 / (self.tank.full_m - self.tank.outlet_m)
        if abs(net_lpm) * self.rule.raise_for_min / 1000 / area_m2 < self.rule.limits["flowed_m"]:
            return None
        spread = self._still(at_ms, for_ms, within_m)
        return self._verdict(at_ms, for_ms, spread, "still_though_flowing", within_m) if spread else None

    def _net_lpm(self, at_ms: int, for_ms: float) -> float | None:
        """Mean flow in less mean flow out; None where it is not known.

        Without a meter at the outlet nothing is taken to flow out. Without one at the inlet nothing is known, for what
        is drawn may be made good unseen, as by a float valve.
        """
        flows = [self.ask(quantity, round(at_ms - for_ms), at_ms + 1) for quantity in ("flow_lpm", "outflow_lpm")]
        if any(0 < flow.samples < enough(for_ms, self.interval_ms) for flow in flows) or flows[0].mean is None:
            return None
        return flows[0].mean - (flows[1].mean or 0.0)

    def _still(self, at_ms: int, for_ms: float, within_m: float) -> Spread | None:
        """The spread of the probe if it did not move; readings must reach back over the whole time."""
        start_ms = round(at_ms - for_ms)
        spread = self.ask(self.quantity, start_ms, at_ms + 1)
        width_m = spread.width()
        if width_m is None or width_m > within_m or spread.samples < enough(for_ms, self.interval_ms):
            return None
        earlier = self.ask(self.quantity, at_ms - reach_ms(for_ms, self.interval_ms), start_ms + 1)
        return spread if earlier.samples else None

    def _moves(self, at_ms: int, open_for: str) -> Verdict | None:
        for_ms, least_m = self.rule.clear_for_min * MINUTE_MS, self.rule.limits["clear_m"]
        spread = self.ask(self.quantity, round(at_ms - for_ms), at_ms + 1)
        moved_m = spread.width()
        if moved_m is None or spread.samples < enough(for_ms, self.interval_ms):
            return None
        varies = open_for == "identical" and moved_m > self.rule.limits["identical_m"]
        if not varies and moved_m < least_m:
            return None
        return self._verdict(at_ms, for_ms, spread, "moves", least_m)

    def _verdict(self, at_ms: int, for_ms: float, spread: Spread, reason: str, threshold_m: float) -> Verdict:
        window = Covered(round(at_ms - for_ms), at_ms, spread.samples)
        evidence = {"value": spread.mean, "unit": "m", "threshold": threshold_m, **window.told()}
        return Verdict(at_ms, reason != "moves", self.rule.severity, reason, evidence)
