"""What is remembered of a node from frame to frame, and over a restart of the gateway."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.clock import Earlier
from gateway.collect.pulses import Tally
from gateway.collect.sequence import Track

log = logging.getLogger(__name__)

_VERSION: Final = 1


@dataclass(slots=True)
class Memory:
    """One node's past.

    Attributes:
        boot: the gateway's boot of the last frame; "" before the first.
        at_ms, mono_ms, believed: instant given to the last frame.
        frames: good frames heard.
        gaps: frames that never came.
        bad: damaged lines on the node's port.
        reboots: restarts of the node.
        interval_ms: between frames, as the node says; 0 if it never has.
        track: the sequence of its frames.
        tallies: its flow meters, by frame key.
    """

    boot: str = ""
    at_ms: int = 0
    mono_ms: int = 0
    believed: bool = False
    frames: int = 0
    gaps: int = 0
    bad: int = 0
    reboots: int = 0
    interval_ms: int = 0
    track: Track = field(default_factory=Track)
    tallies: dict[str, Tally] = field(default_factory=dict)


def write_memory(memory: Memory) -> str:
    """As text for the spool's state."""
    m, t = memory, memory.track
    tallies = {
        key: [a.count, a.up_ms, a.total_l, a.refused, int(a.rebooted), a.before_gap] for key, a in m.tallies.items()
    }
    return json.dumps(
        [
            _VERSION,
            [m.boot, m.at_ms, m.mono_ms, int(m.believed)],
            [m.frames, m.gaps, m.bad, m.reboots, m.interval_ms],
            [t.seq, t.up_ms, t.boots],
            tallies,
        ],
        separators=(",", ":"),
    )


def read_memory(text: str) -> Memory | None:
    """From the spool's state; None for text that is not of this version.

    Frames may have been heard and not saved before the restart, so each meter counts as having a gap.
    """
    try:
        version, instant, counters, track, tallies = json.loads(text)
        if version != _VERSION:
            return None
        boot, at_ms, mono_ms, believed = instant
        frames, gaps, bad, reboots, interval_ms = counters
        memory = Memory(boot, at_ms, mono_ms, bool(believed), frames, gaps, bad, reboots, interval_ms, Track(*track))
        for key, (count, up_ms, total_l, refused, rebooted, before_gap) in tallies.items():
            memory.tallies[key] = Tally(count, up_ms, total_l, refused, bool(rebooted), True, before_gap)  # noqa: FBT003 - its place
    except (ValueError, TypeError):
        return None
    return memory


def read_memories(state: Mapping[str, str]) -> dict[str, Memory]:
    """Every node's past, by node."""
    found = {}
    for node, text in state.items():
        memory = read_memory(text)
        if memory is None:
            log.warning("the saved state of node %s cannot be read: its counters start anew", node)
        else:
            found[node] = memory
    return found


def newest_believed(state: Mapping[str, str]) -> Earlier | None:
    """The newest believed instant in a spool's state; None if there is none."""
    memories = [memory for memory in read_memories(state).values() if memory.believed]
    newest = max(memories, key=lambda memory: memory.at_ms, default=None)
    return Earlier(newest.boot, newest.at_ms, newest.mono_ms) if newest else None
