"""Running pulse counts of a node -> flow and a total that no gap, wrap or restart takes from."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.calibration import Meter

COUNT_MODULUS: Final = 1_000_000_000
REFUSE_ABOVE: Final = 1.2
"""Pulses that mean more than this times the greatest flow are no water."""
_SLACK_PULSES: Final = 2


@dataclass(slots=True)
class Tally:
    """What is remembered of one meter.

    Attributes:
        count: pulses as last told, modulo 10^9; -1 before the first time.
        up_ms: the node's time since its start then.
        total_l: litres in all.
        refused: pulses that were refused in all.
        rebooted: the node has restarted since `count`.
        gapped: frames are missing since `count`.
        before_gap: `count` before the last gap of this start of the node; -1 if there was none.
    """

    count: int = -1
    up_ms: int = 0
    total_l: float = 0.0
    refused: int = 0
    rebooted: bool = False
    gapped: bool = False
    before_gap: int = -1


class Flow(NamedTuple):
    """What a new count shows.

    Attributes:
        flow_lpm: mean flow since the last count; None at the first.
        total_l: litres in all.
        refused: pulses that cannot be water and are not in `total_l`; 0 when all is well.
    """

    flow_lpm: float | None
    total_l: float
    refused: int


def advance(tally: Tally, meter: Meter, count: int, up_ms: int) -> Flow:
    """Take a new count into `tally`.

    After a restart of the node the whole count is new; the first count ever is taken as the water since the node's
    start, if it can be.

    Args:
        tally: of this meter.
        meter: its calibration.
        count: pulses since the node's start, modulo 10^9.
        up_ms: the node's time since its start, unwrapped.
    """
    first = tally.count < 0
    anew = first or tally.rebooted
    pulses = count if anew else (count - tally.count) % COUNT_MODULUS
    elapsed_ms = up_ms if anew else up_ms - tally.up_ms
    most = max_pulses(meter, elapsed_ms)
    if not anew and pulses > most and count < tally.count and count <= most:
        pulses = count  # the count has fallen and cannot have wrapped: a restart that nothing else showed
    _remember(tally, count, up_ms, anew=anew)
    refused = pulses if pulses > most else 0
    if refused and not first:
        tally.refused += refused
    elif not refused:
        tally.total_l += meter.volume_l(pulses, elapsed_ms)
    flow_lpm = None if first or elapsed_ms <= 0 else meter.flow_lpm(pulses, elapsed_ms)
    return Flow(flow_lpm, tally.total_l, 0 if first else refused)


def note_missing(tally: Tally, *, rebooted: bool) -> None:
    """Frames are missing since the last count, or the node has restarted since."""
    tally.gapped = True
    tally.rebooted |= rebooted


def note_same_start(tally: Tally) -> None:
    """The node has told that it has not restarted: no gap so far hides anything."""
    tally.gapped, tally.before_gap = False, -1


def note_unseen_reboot(tally: Tally, meter: Meter) -> None:
    """The node has told that it had restarted in the last gap: what was counted on from the old start is all new."""
    if tally.gapped:
        tally.rebooted = True  # no count has come since that gap
    elif tally.before_gap >= 0:
        tally.total_l += meter.volume_l(tally.before_gap, tally.up_ms)
    tally.before_gap = -1


def max_pulses(meter: Meter, elapsed_ms: int) -> float:
    """Most pulses that can come in `elapsed_ms`, with a little room for pulses on the edge."""
    fastest_hz = meter.frequency_hz(REFUSE_ABOVE * meter.max_flow_lpm)
    return fastest_hz * max(elapsed_ms, 0) / 1000 + _SLACK_PULSES


def _remember(tally: Tally, count: int, up_ms: int, *, anew: bool) -> None:
    if anew:
        tally.before_gap = -1
    elif tally.gapped:
        tally.before_gap = tally.count
    tally.count, tally.up_ms = count, up_ms
    tally.rebooted = tally.gapped = False
