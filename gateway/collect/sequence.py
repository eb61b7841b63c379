"""Follow a node's frames: which are missing, which came twice, when it has restarted."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from firmware_scripts.frame import Frame

SEQ_MODULUS: Final = 65_536
UP_MODULUS: Final = 2**32

_FASTEST_MS: Final = 20
"""A node sends at most one frame in this time, answers included."""
_BURST: Final = 64
_WRAP_SLACK_MS: Final = 60_000


@dataclass(slots=True)
class Track:
    """What is remembered of a node's frames.

    Attributes:
        seq: number of the last frame; -1 before the first.
        up_ms: the node's time since its start at the last frame, unwrapped.
        boots: the node's own count of its starts, as last told; -1 if never.
        told: the last frame told it.
    """

    seq: int = -1
    up_ms: int = 0
    boots: int = -1
    told: bool = False


class Step(NamedTuple):
    """What one frame shows.

    Attributes:
        missing: frames between the last one and this that never came.
        rebooted: the node has restarted since the last frame.
        rebooted_unseen: it had restarted already before the last frame, which nothing showed until now.
        same_start: the node has told that it has not restarted since it told last.
        repeated: the frame has been here already and says nothing new.
    """

    missing: int = 0
    rebooted: bool = False
    rebooted_unseen: bool = False
    same_start: bool = False
    repeated: bool = False


def follow(track: Track, frame: Frame, elapsed_ms: int | None) -> Step:
    """Take one frame of the node into `track`.

    Args:
        track: of this node.
        frame: from this node.
        elapsed_ms: time since its last frame by the gateway's clock; None if not known.
    """
    boots = frame.fields.get("bt") if frame.kind == "B" else None
    boots = boots if isinstance(boots, int) else -1
    step = _compare(track, frame, boots, elapsed_ms)
    if step.repeated:
        return step
    if track.seq < 0 or step.rebooted:
        track.up_ms = frame.up_ms
    else:
        track.up_ms += (frame.up_ms - track.up_ms) % UP_MODULUS
    track.seq = frame.seq
    track.told = boots >= 0
    track.boots = boots if track.told else track.boots
    return step


def _compare(track: Track, frame: Frame, boots: int, elapsed_ms: int | None) -> Step:
    if track.seq < 0:
        return Step()
    since_ms = (frame.up_ms - track.up_ms) % UP_MODULUS
    told = -1 not in (boots, track.boots)
    another_start = told and boots != track.boots
    if frame.seq == track.seq and since_ms == 0 and not another_start:
        return Step(repeated=True)
    missing = (frame.seq - track.seq - 1) % SEQ_MODULUS
    if _shows_restart(track, frame, missing, elapsed_ms) or (another_start and (missing or track.told)):
        return Step(missing=frame.seq, rebooted=True)
    if another_start:
        return Step(rebooted_unseen=True)
    return Step(missing=missing, same_start=told)


def _shows_restart(track: Track, frame: Frame, missing: int, elapsed_ms: int | None) -> bool:
    """Whether this frame's number and time cannot belong to the start that the last frame belonged to."""
    last_up_ms = track.up_ms % UP_MODULUS
    if frame.up_ms < last_up_ms and not _has_wrapped(last_up_ms, frame, elapsed_ms):
        return True
    if _is_first(frame):
        return True
    most = _BURST + (frame.up_ms - last_up_ms) % UP_MODULUS // _FASTEST_MS
    return missing > most


def _has_wrapped(last_up_ms: int, frame: Frame, elapsed_ms: int | None) -> bool:
    """Whether a smaller time since start is the same start, 49.7 days long."""
    if _is_first(frame):
        return False
    since_ms = frame.up_ms + UP_MODULUS - last_up_ms
    if elapsed_ms is None:
        return since_ms < _WRAP_SLACK_MS
    return abs(since_ms - elapsed_ms) <= _WRAP_SLACK_MS + elapsed_ms // 50


def _is_first(frame: Frame) -> bool:
    """Whether a node says by this that it has started; the answer to IDN is a B frame as well, but bears a tag."""
    return frame.kind == "B" and frame.seq == 0 and "tg" not in frame.fields
