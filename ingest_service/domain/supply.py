"""How long the water in a tank will last."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final

LOOK_BACK_H: Final = 168
"""Hours of fill that an estimate is made from."""

_DAY_H: Final = 24
_LEAST_DAYS: Final = 3
_MOST_UNKNOWN_H: Final = 3
_LEAST_SHARE: Final = 0.05
_LONGEST_DAYS: Final = 45


def estimate_days_left(hourly_pct: Sequence[float | None], fill_pct: float | None) -> float | None:
    """Days until the tank is empty if the next days are like the last ones.

    Use and supply are both read from the hours in which the fill fell or rose; a day's net use is bounded below by
    5 % of the use, as supply may fail.

    Args:
        hourly_pct: last good fill of each of the last `LOOK_BACK_H` hours, oldest first; None where there is none.
        fill_pct: now; None if unknown.

    Returns:
        Days; None if fewer than three whole days are known, hardly anything is used, or it lasts over 45 days.
    """
    starts = range(0, len(hourly_pct) - _DAY_H, _DAY_H)
    known = [day for start in starts if (day := _day_use(hourly_pct[start : start + _DAY_H + 1])) is not None]
    if fill_pct is None or len(known) < _LEAST_DAYS:
        return None
    use = median(fall for fall, _ in known)
    supply = sorted(rise for _, rise in known)[(len(known) - 1) // 5]
    net = max(use - supply, _LEAST_SHARE * use)
    if net <= 0 or fill_pct / net > _LONGEST_DAYS:
        return None
    return max(fill_pct, 0.0) / net


def _day_use(hourly_pct: Sequence[float | None]) -> tuple[float, float] | None:
    """Percentage points that the fill fell, and rose, over a day; None if more than three hours are not known."""
    ends = [fill for fill in hourly_pct if fill is not None]
    if len(ends) < len(hourly_pct) - _MOST_UNKNOWN_H:
        return None
    steps = [later - earlier for earlier, later in pairwise(ends)]
    return -sum(step for step in steps if step < 0), sum(step for step in steps if step > 0)
