"""Take frames as they come, check and convert them, and hand each to the spool as one record."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from firmware_scripts.frame import Frame
from gateway.calibration import Channel, Meter, build_channel
from gateway.clock import Stamp
from gateway.collect.memory import Memory, read_memories, write_memory
from gateway.collect.pulses import (
    COUNT_MODULUS,
    REFUSE_ABOVE,
    Flow,
    Tally,
    advance,
    note_missing,
    note_same_start,
    note_unseen_reboot,
)
from gateway.collect.sequence import Step, follow
from gateway.config import NodeConfig
from gateway.spool import Entry
from gateway.wire import Reading, encode_record

log = logging.getLogger(__name__)

SUSPECT, FAIL, MISSING = 3, 4, 9
"""QC codes of a reading; none means not evaluated."""

_ENOUGH_ECHOES: Final = 3
_SAME_MOMENT_MS: Final = 100
_STEP_BACK_MS: Final = 60_000
_RECORDED: Final = "recorded"
_CLIPPED: Final = 0x08
_USUAL_INTERVAL_S: Final = 60.0
_NO_PROBES: Final = frozenset({"dq", "er", "fl", "tg", "vb", "vs"})


class _Outbox(Protocol):
    def append(self, entry: Entry, state: Mapping[str, str]) -> None: ...

    def state(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class NodeCounters:
    """How a node has been heard, since it was first heard.

    Attributes:
        last_at_ms: instant of its last frame.
        frames: good frames.
        gaps: frames that never came.
        bad: damaged lines on its port.
        reboots: restarts of the node.
        interval_s: seconds between its frames.
        refused_pulses: flow pulses that were no water and are in no total.
    """

    last_at_ms: int
    frames: int
    gaps: int
    bad: int
    reboots: int
    interval_s: float
    refused_pulses: int


class Collector:
    """Frames in, records out. `hear` and `note_bad` may be called from several threads."""

    def __init__(self, nodes: Mapping[str, NodeConfig], spool: _Outbox, now: Callable[[], Stamp], boot: str) -> None:
        """Nothing happens until `start`.

        Args:
            nodes: what is known of each node, by id; others are heard with the usual calibration.
            spool: where records and counters go.
            now: the clock.
            boot: what its monotonic time belongs to.
        """
        self._configs = nodes
        self._spool = spool
        self._now = now
        self._boot = boot
        self._lock = threading.Lock()
        self._memories: dict[str, Memory] = {}
        self._channels: dict[tuple[str, str], Channel | Meter | None] = {}

    def start(self) -> None:
        """Go on where the last durable commit left off."""
        self._memories = read_memories(self._spool.state())

    def nodes(self) -> dict[str, NodeCounters]:
        """Counters by node, of every node ever heard."""
        with self._lock:
            return {node: self._count(node, memory) for node, memory in self._memories.items() if memory.frames}

    def note_bad(self, node: str, lines: int) -> None:
        """`lines` damaged lines came over the port of `node`."""
        with self._lock:
            self._memories.setdefault(node, Memory()).bad += lines

    def hear(self, frame: Frame, at_ms: int | None = None) -> None:
        """Take one good frame.

        Args:
            frame: from a node.
            at_ms: its instant where that was recorded, milliseconds since 1970 UTC; None: it came just now.
        """
        with self._lock:
            stamp = self._now() if at_ms is None else Stamp(at_ms, at_ms, believed=True)
            boot = self._boot if at_ms is None else _RECORDED
            memory = self._memories.setdefault(frame.node, Memory())
            step = follow(memory.track, frame, stamp.mono_ms - memory.mono_ms if memory.boot == boot else None)
            if step.repeated:
                return
            self._note_step(frame, memory, step)
            stamp = _place(memory, stamp)
            memory.boot, memory.at_ms, memory.mono_ms, memory.believed = boot, *stamp
            if frame.kind == "D":
                self._record(frame, memory, stamp)
            else:
                _note_interval(frame, memory)

    def _note_step(self, frame: Frame, memory: Memory, step: Step) -> None:
        memory.frames += 1
        memory.gaps += step.missing
        if step.rebooted or step.rebooted_unseen:
            memory.reboots += 1
            log.info("node %s has restarted (%s)", frame.node, frame.fields.get("rc", "why is not known"))
        if step.missing:
            log.info("node %s: %d frames are missing before number %d", frame.node, step.missing, frame.seq)
        for key, tally in memory.tallies.items():
            meter = self._find_channel(frame.node, key)
            if step.missing or step.rebooted:
                note_missing(tally, rebooted=step.rebooted)
            elif step.rebooted_unseen and isinstance(meter, Meter):
                note_unseen_reboot(tally, meter)
            if step.same_start:
                note_same_start(tally)

    def _record(self, frame: Frame, memory: Memory, stamp: Stamp) -> None:
        readings: list[Reading] = []
        for key in frame.fields:
            if key.rstrip("23456789") not in _NO_PROBES:
                readings += self._read(frame, key, memory)
        if readings:
            body = encode_record(frame.node, readings)
            entry = Entry(stamp.at_ms, stamp.mono_ms, stamp.believed, memory.boot, body, len(readings), frame.node)
            self._spool.append(entry, {frame.node: write_memory(memory)})

    def _read(self, frame: Frame, key: str, memory: Memory) -> tuple[Reading, ...]:
        channel = self._find_channel(frame.node, key)
        raw = frame.fields[key]
        if channel is None:
            return ()
        if isinstance(channel, Meter):
            return _read_meter(frame, raw, channel, memory, memory.tallies.setdefault(key, Tally()))
        value = channel.convert(raw, frame.fields) if isinstance(raw, int) else None
        if value is None:
            return (Reading(channel.quantity, None, MISSING),)
        return (Reading(channel.quantity, round(value, channel.decimals), _judge(frame, key, channel, value)),)

    def _find_channel(self, node: str, key: str) -> Channel | Meter | None:
        place = (node, key)
        if place not in self._channels:
            config = self._configs.get(node)
            self._channels[place] = self._admit(place, build_channel(key, config.channels.get(key) if config else None))
        return self._channels[place]

    def _admit(self, place: tuple[str, str], channel: Channel | Meter | None) -> Channel | Meter | None:
        """The channel, unless it is unknown, or its series would be another's: the server refuses such packs whole."""
        node, key = place
        if channel is None:
            log.warning("node %s sends %s: add [node.%s.channel.%s] with its calibration to use it", node, key, *place)
            return None
        for (other, taken), one in self._channels.items():
            if other == node and one is not None and one.quantity == channel.quantity:
                log.error(
                    "node %s: %s and %s are both %s; name another quantity for one", node, taken, key, one.quantity
                )
                return None
        return channel

    def _count(self, node: str, memory: Memory) -> NodeCounters:
        config = self._configs.get(node)
        interval_s = config.interval_s if config and config.interval_s else memory.interval_ms / 1000
        refused = sum(tally.refused for tally in memory.tallies.values())
        return NodeCounters(
            memory.at_ms,
            memory.frames,
            memory.gaps,
            memory.bad,
            memory.reboots,
            interval_s or _USUAL_INTERVAL_S,
            refused,
        )


def _judge(frame: Frame, key: str, channel: Channel, value: float) -> int | None:
    if not channel.low <= value <= channel.high:
        return FAIL
    if key.startswith("ds"):
        echoes = frame.fields.get("dq" + key[2:])
        return SUSPECT if isinstance(echoes, int) and echoes < _ENOUGH_ECHOES else None
    flags = frame.fields.get("fl")
    clipped = key.startswith("hd") and isinstance(flags, int) and flags & _CLIPPED
    return SUSPECT if clipped else None


def _read_meter(frame: Frame, raw: int | str | None, meter: Meter, memory: Memory, tally: Tally) -> tuple[Reading, ...]:
    if not isinstance(raw, int) or not 0 <= raw < COUNT_MODULUS:
        return (Reading(meter.quantity, None, MISSING),)
    flow = advance(tally, meter, raw, memory.track.up_ms)
    if flow.refused:
        log.warning(
            "node %s: %d flow pulses refused: more than %.0f l/min; check the meter, or mend max_flow_lpm",
            frame.node,
            flow.refused,
            REFUSE_ABOVE * meter.max_flow_lpm,
        )
    return tuple(_tell_flow(meter, flow))


def _tell_flow(meter: Meter, flow: Flow) -> list[Reading]:
    told = (
        []
        if flow.flow_lpm is None
        else [Reading(meter.quantity, round(flow.flow_lpm, 3), FAIL if flow.refused else None)]
    )
    return [*told, Reading(meter.total, round(flow.total_l, 3), SUSPECT if flow.refused else None)]


def _note_interval(frame: Frame, memory: Memory) -> None:
    interval_ms = frame.fields.get("iv")
    if frame.kind in ("B", "A") and isinstance(interval_ms, int) and interval_ms > 0:
        memory.interval_ms = interval_ms


def _place(memory: Memory, stamp: Stamp) -> Stamp:
    """The frame's instant: later than the node's last one, because series and instant are a point's identity.

    A clock that has become believable, or was put back far, begins anew: what it said before is put right or far away.
    """
    back_ms = memory.at_ms - stamp.at_ms
    if back_ms < 0 or (stamp.believed and not memory.believed):
        return stamp
    if stamp.believed and back_ms > _STEP_BACK_MS:
        log.warning("the clock was put back by %.0f s", back_ms / 1000)
        return stamp
    return Stamp(memory.at_ms + 1, stamp.mono_ms, stamp.believed and back_ms < _SAME_MOMENT_MS)
