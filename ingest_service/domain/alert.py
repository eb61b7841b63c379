"""Alert rules: their numbers, and the life of one alert from raised to cleared.

How a rule comes to its verdict is in `level_alert`, `probe_alert` and `device_alert`; every verdict then goes through
`step`. Rules about water and probes decide at the instant of a reading, by the readings up to it: whenever a verdict is
computed, live, late or after a restart, it is the same, and where nothing is heard nothing is decided.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from ingest_service.domain.places import Asset

Severity = Literal["info", "warning", "critical"]
Role = Literal["group", "technician", "manager"]
Evidence = Mapping[str, float | int | str | None]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
REMOVED: Final = "removed"
"""Reason of a change that closes an alert because its asset or device is no longer in the register."""

LATE_MS: Final = HOUR_MS
"""Readings older than this when they are judged wake nobody."""

_LOUDNESS: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
_LOCAL: Final = timezone(timedelta(hours=7))  # Viet Nam, no summer time
_DRY_MONTHS: Final = frozenset({11, 12, 1, 2, 3, 4})
_COVERED: Final = 0.7
_OVERRIDES: Final = ("clear_at", "raise_for_min", "clear_for_min")
_LONGEST: Final = {"min": 7 * 24 * 60.0, "h": 7 * 24.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the rule table.

    Attributes:
        key: name in stores, API and texts.
        severity: how loud at first.
        limits: its numbers by name, in the unit of what it looks at; an asset may override each.
        raise_for_min: how long it must be true before it is raised, in minutes.
        clear_for_min: how long it must be over before it is cleared, in minutes.
        to: who is told at once.
        later: who is told as well once it has been open for so many hours.
    """

    key: str
    severity: Severity
    limits: Mapping[str, float]
    raise_for_min: float
    clear_for_min: float
    to: tuple[Role, ...]
    later: tuple[tuple[Role, float], ...] = ()

    def with_overrides(self, overrides: Mapping[str, float]) -> "Rule":
        """This rule with an asset's own numbers.

        Keys are those of `limits`, or "clear_at", "raise_for_min", "clear_for_min". An own "raise_at" also holds in
        the dry season unless there is an own "dry_raise_at".

        Raises:
            ValueError: a key that this rule does not know, a negative number, or a time longer than a week.
        """
        if not overrides:
            return self
        known = [*self.limits, *(name for name in _OVERRIDES if name not in self.limits)]
        for name, number in overrides.items():
            if name not in known:
                raise ValueError(f"rule {self.key} has no number {name}; it has {', '.join(known)}")
            most = _LONGEST.get(name.rpartition("_")[2], math.inf)
            if not (math.isfinite(number) and 0 <= number <= most):
                words = "0 or more" if most == math.inf else f"from 0 to {most:g}"
                raise ValueError(f"{name} of rule {self.key} is {number:g}: it must be {words}")
        limits = dict(self.limits) | dict(overrides)
        if "raise_at" in overrides and "dry_raise_at" in limits and "dry_raise_at" not in overrides:
            limits["dry_raise_at"] = overrides["raise_at"]
        return replace(
            self,
            raise_for_min=limits.pop("raise_for_min", self.raise_for_min),
            clear_for_min=limits.pop("clear_for_min", self.clear_for_min),
            limits=MappingProxyType(limits),
        )


def _rule(
    key: str,
    severity: Severity,
    wait: tuple[float, float],
    to: tuple[Role, ...],
    *,
    later: tuple[tuple[Role, float], ...] = (),
    **limits: float,
) -> Rule:
    return Rule(key, severity, MappingProxyType(limits), *wait, to, later)


_ROWS: Final = (
    _rule("tank_low", "warning", (30, 30), ("group",), raise_at=30.0, dry_raise_at=40.0, clear_above=5.0),
    _rule(
        "tank_empty",
        "critical",
        (10, 30),
        ("group", "technician"),
        later=(("manager", 24),),
        raise_at=5.0,
        clear_at=12.0,
        above_outlet_m=0.05,
    ),
    _rule("overflow", "warning", (30, 15), ("group",), raise_at=98.0, clear_at=95.0, below_full_m=0.02),
    _rule("range", "warning", (30, 30), ("technician",), raise_share=0.5, clear_share=0.9),
    _rule(
        "stuck",
        "warning",
        (360, 30),
        ("technician",),
        identical_h=12.0,
        identical_m=0.0005,
        still_m=0.002,
        flowed_m=0.02,
        clear_m=0.005,
    ),
    _rule(
        "offline",
        "warning",
        (15, 0),
        ("technician",),
        later=(("group", 6), ("manager", 24)),
        intervals=3.0,
        critical_h=6.0,
    ),
)

RULES: Final = MappingProxyType({rule.key: rule for rule in _ROWS})
"""All rules by key."""


def rule_of(asset: Asset, key: str) -> Rule:
    """A rule with an asset's own numbers."""
    return RULES[key].with_overrides(asset.thresholds.get(key, {}))


def look_back_ms(rules: Sequence[Rule], interval_ms: float) -> int:
    """How far before a reading the verdicts of `rules` about it depend on earlier ones."""
    longest_min = max(max(rule.raise_for_min, rule.clear_for_min) for rule in rules)
    return reach_ms(longest_min * MINUTE_MS, interval_ms)


def is_dry_season(at_ms: int) -> bool:
    """Whether an instant lies in November to April by local time."""
    return datetime.fromtimestamp(at_ms / 1000, _LOCAL).month in _DRY_MONTHS


class Verdict(NamedTuple):
    """What a rule finds at one instant; where it cannot decide there is none.

    Attributes:
        at_ms: event time: the instant of the reading, or of the silence, that decides.
        raises: whether it has been true for long enough; False means that it has been over for long enough.
        severity: how loud, if it raises.
        reason: short key of the why.
        evidence: the numbers behind it.
    """

    at_ms: int
    raises: bool
    severity: Severity
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class State:
    """Where a rule stands at an asset or device; kept as text between calls.

    Attributes:
        alert_id: of the open alert; None when there is none.
        severity: last told.
        reason: why it was raised.
        woken: somebody was told; False after a raise from late readings.
        marks: numbers that the rule itself keeps, by name.
    """

    alert_id: str | None = None
    severity: Severity = "info"
    reason: str = ""
    woken: bool = False
    marks: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """The state as text; `from_text` reads it back."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> "State":
        """Read what `to_text` wrote; "" is the state at the beginning."""
        return cls(**json.loads(text)) if text else cls()


class Change(NamedTuple):
    """A step in an alert's life; `quiet` when it must wake nobody."""

    alert_id: str
    state: Literal["raised", "cleared", "changed"]
    severity: Severity
    at_ms: int
    reason: str
    evidence: Evidence
    quiet: bool


def step(name: str, state: State, verdict: Verdict, *, late: bool) -> tuple[State, Change | None]:
    """Take one verdict.

    Args:
        name: of the rule and its subject; with the instant it makes the alert's id, so that a repeat makes the same.
        state: where the rule stands.
        verdict: what it finds now; verdicts come in order of time.
        late: the readings behind it are old; a change is then quiet. An alert that was raised quietly and is still
            true by fresh readings is told as "changed".

    Returns:
        The new state, with the change if there is one. While an alert is open its severity only rises.
    """
    if state.alert_id is None:
        if not verdict.raises:
            return state, None
        alert_id = f"{name}@{verdict.at_ms // 1000}"
        opened = State(alert_id, verdict.severity, verdict.reason, not late, state.marks)
        return opened, _change(opened, "raised", verdict, quiet=late)
    if verdict.raises:
        wakes = not state.woken and not late
        severity = max(state.severity, verdict.severity, key=_LOUDNESS.index)
        if severity == state.severity and not wakes:
            return state, None
        louder = replace(state, severity=severity, woken=state.woken or wakes)
        return louder, _change(louder, "changed", verdict, quiet=late)
    return State(marks=state.marks), _change(state, "cleared", verdict, quiet=late or not state.woken)


def _change(state: State, what: Literal["raised", "cleared", "changed"], verdict: Verdict, *, quiet: bool) -> Change:
    assert state.alert_id is not None  # noqa: S101 - only of an open alert
    return Change(state.alert_id, what, state.severity, verdict.at_ms, verdict.reason, verdict.evidence, quiet)


class Covered(NamedTuple):
    """The stretch of readings that proves a condition: `samples` of them after `from_ms`, the last one at `to_ms`."""

    from_ms: int
    to_ms: int
    samples: int

    def told(self) -> dict[str, int]:
        """As evidence."""
        return {"window_from_ms": self.from_ms, "window_to_ms": self.to_ms, "samples": self.samples}


def reach_ms(for_ms: float, interval_ms: float) -> int:
    """How far before a reading `proven` looks: the time itself and the longest gap that it bears."""
    return int(for_ms + (1 - _COVERED) * for_ms + interval_ms)


def proven(at_ms: Sequence[int], first: int, last: int, for_ms: float, interval_ms: float) -> Covered | None:
    """Whether readings `first` to `last`, all of which satisfy a condition, prove that it held for `for_ms`.

    They do if one of them lies at the beginning of that time or not long before, and at least 70 % of those that are
    expected lie in it.

    Args:
        at_ms: instants of good readings, rising.
        first: index of the first reading of the unbroken row that satisfies the condition.
        last: index of the reading that decides.
        for_ms: how long it must have held.
        interval_ms: how far apart readings are expected.
    """
    start_ms = at_ms[last] - for_ms
    begin = bisect_right(at_ms, start_ms, first, last + 1) - 1
    if begin < first or at_ms[begin] < at_ms[last] - reach_ms(for_ms, interval_ms):
        return None
    samples = last - begin
    if samples < enough(for_ms, interval_ms):
        return None
    return Covered(at_ms[begin], at_ms[last], samples)


def enough(for_ms: float, interval_ms: float) -> float:
    """How many readings in `for_ms` suffice for a decision."""
    return _COVERED * for_ms / interval_ms
