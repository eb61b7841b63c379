"""Verdicts about the water in a tank, from its fill: low, empty, overflowing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest_service.domain.alert import (
    MINUTE_MS,
    Covered,
    Evidence,
    Rule,
    Severity,
    Verdict,
    is_dry_season,
    proven,
    rule_of,
)
from ingest_service.domain.places import Asset, Tank
from ingest_service.domain.tank import Contents


@dataclass(frozen=True, slots=True)
class LevelRules:
    """The rules of one tank with its own numbers, prepared for many readings."""

    tank: Tank
    contents: Contents
    low: Rule
    empty: Rule
    overflow: Rule

    @classmethod
    def of(cls, asset: Asset, tank: Tank) -> "LevelRules":
        """Prepare the rules of `asset`.

        Raises:
            ValueError: the asset overrides a number that a rule does not have.
        """
        low, empty, overflow = (rule_of(asset, key) for key in ("tank_low", "tank_empty", "overflow"))
        return cls(tank, Contents.of(tank), low, empty, overflow)


class _Line(NamedTuple):
    """One rule as two conditions on the fill in percent at an instant."""

    rule: Rule
    severity: Severity
    reason: str
    threshold: Callable[[int], float]
    is_true: Callable[[int, float], bool]
    is_over: Callable[[int, float], bool]


def judge_level(
    rules: LevelRules,
    at_ms: Sequence[int],
    fill_pct: Sequence[float],
    *,
    after_ms: int,
    interval_ms: float,
    flows: Callable[[int, int], bool],
) -> Iterator[tuple[str, Verdict]]:
    """Decide on good readings later than `after_ms`; verdicts that decide nothing are left out.

    Args:
        rules: of the tank.
        at_ms: instants of good (QC 1) readings, rising, beginning `look_back_ms` before `after_ms`.
        fill_pct: fill each, percent of the usable volume.
        after_ms: where the last call ended.
        interval_ms: how far apart readings are expected.
        flows: whether water may have flowed in between two instants.

    Yields:
        Key of the rule and a verdict; for each rule in order of time.
    """
    for line in (_low(rules), _empty(rules), _overflow(rules)):
        for instant, is_true, fill, covered in _decide(line, at_ms, fill_pct, after_ms, interval_ms):
            if line.rule.key == "overflow" and is_true and not flows(covered.from_ms, instant + 1):
                continue
            evidence = _evidence(rules.contents, fill, line.threshold(instant), covered)
            yield line.rule.key, Verdict(instant, is_true, line.severity, line.reason, evidence)


def _low(rules: LevelRules) -> _Line:
    limits = rules.low.limits
    wet, dry = limits["raise_at"], limits["dry_raise_at"]

    def threshold(at_ms: int) -> float:
        return dry if wet != dry and is_dry_season(at_ms) else wet

    def is_over(at_ms: int, fill: float) -> bool:
        return fill >= limits.get("clear_at", threshold(at_ms) + limits["clear_above"])

    return _Line(
        rules.low, rules.low.severity, "below", threshold, lambda at_ms, fill: fill <= threshold(at_ms), is_over
    )


def _empty(rules: LevelRules) -> _Line:
    limits = rules.empty.limits
    near_outlet = rules.contents.fill_pct(rules.tank.outlet_m + limits["above_outlet_m"])
    least, clear_at = max(limits["raise_at"], near_outlet), limits["clear_at"]
    return _Line(
        rules.empty,
        rules.empty.severity,
        "below" if least > near_outlet else "near_outlet",
        lambda _: least,
        lambda _, fill: fill <= least,
        lambda _, fill: fill >= clear_at and fill > least,
    )


def _overflow(rules: LevelRules) -> _Line:
    limits = rules.overflow.limits
    near_lip = rules.contents.fill_pct(rules.tank.full_m - limits["below_full_m"])
    most, clear_at = min(limits["raise_at"], near_lip), limits["clear_at"]
    severity: Severity = "info" if rules.tank.source == "rain" else rules.overflow.severity
    return _Line(
        rules.overflow,
        severity,
        "above",
        lambda _: most,
        lambda _, fill: fill >= most,
        lambda _, fill: fill <= clear_at and fill < most,
    )


def _decide(
    line: _Line, at_ms: Sequence[int], fill_pct: Sequence[float], after_ms: int, interval_ms: float
) -> Iterator[tuple[int, bool, float, Covered]]:
    """Readings at which a line was true, or over, for long enough: instant, whether true, fill, what proves it."""
    raise_ms, clear_ms = line.rule.raise_for_min * MINUTE_MS, line.rule.clear_for_min * MINUTE_MS
    true_from: int | None = None
    over_from: int | None = None
    for number, (instant, fill) in enumerate(zip(at_ms, fill_pct, strict=True)):
        is_true, is_over = line.is_true(instant, fill), line.is_over(instant, fill)
        true_from = (number if true_from is None else true_from) if is_true else None
        over_from = (number if over_from is None else over_from) if is_over else None
        if instant <= after_ms:
            continue
        covered = None
        if true_from is not None:
            covered = proven(at_ms, true_from, number, raise_ms, interval_ms)
        elif over_from is not None:
            covered = proven(at_ms, over_from, number, clear_ms, interval_ms)
        if covered is not None:
            yield instant, is_true, fill, covered


def _evidence(contents: Contents, fill: float, threshold: float, covered: Covered) -> Evidence:
    return {
        "value": fill,
        "unit": "%",
        "fill_pct": fill,
        "volume_l": round(contents.capacity_l * fill / 100, 2),
        "threshold": round(threshold, 2),
        **covered.told(),
    }
