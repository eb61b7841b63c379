"""All sources of one gateway together: started, asked and closed as one."""

import glob
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from firmware_scripts.frame import Frame
from gateway.config import GatewayConfig, PortConfig
from gateway.sources.discover import PortPattern
from gateway.sources.recording import Recorder
from gateway.sources.replay import Replay
from gateway.sources.serial_port import Patience, SerialPort
from gateway.sources.source import Arguments, Hear, NoteBad, PortState, Source, UnknownNodeError


class Lines:
    """A source made of all configured sources."""

    def __init__(self, sources: Sequence[Source], recorders: Sequence[Recorder] = ()) -> None:
        self._sources = tuple(sources)
        self._recorders = tuple(recorders)

    def start(self) -> None:
        """Start every source."""
        for source in self._sources:
            source.start()

    def states(self) -> list[PortState]:
        """How each port is."""
        return [state for source in self._sources for state in source.states()]

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """Ask a node on whichever port it is; see `Source.send`."""
        for source in self._sources:
            if any(node in state.nodes for state in source.states()):
                return source.send(node, verb, arguments)
        ports = ", ".join(state.name for state in self.states()) or "none is configured"
        raise UnknownNodeError(f"no port has heard {node} since it was opened; ports: {ports}")

    def close(self) -> None:
        """Close every source; no frame is handed over after this."""
        for source in self._sources:
            source.close()
        for recorder in self._recorders:
            recorder.close()


def open_lines(config: GatewayConfig, hear: Hear, note_bad: NoteBad, now_ms: Callable[[], int]) -> Lines:
    """The sources that a configuration asks for, not started yet.

    Args:
        config: its ports, and how long nodes may be silent.
        hear: takes each good frame, from several threads.
        note_bad: takes damaged lines by node.
        now_ms: wall clock, for recordings.
    """
    intervals = [node.interval_s for node in config.nodes.values() if node.interval_s]
    patience = Patience(interval_s=max(intervals, default=60.0))
    sources: list[Source] = []
    recorders: list[Recorder] = []
    for port in config.ports:
        if port.kind == "replay":
            sources.append(Replay(Path(port.path), hear, note_bad, port.pace))
            continue
        recorder = Recorder(port.record, now_ms) if port.record else None
        recorders += [recorder] if recorder else []
        make = partial(SerialPort, hear=hear, note_bad=note_bad, baud=port.baud, patience=patience, recorder=recorder)
        sources.append(_open_source(port, config.clock.factor, make))
    return Lines(sources, recorders)


def _open_source(port: PortConfig, factor: float, make: Callable[[str], SerialPort]) -> Source:
    if port.kind == "simulated":
        from gateway.sources.simulated import SimulatedVillage  # noqa: PLC0415 - memory that the field does not need

        return SimulatedVillage(port.path, factor, make)
    return PortPattern(port.path, make) if glob.has_magic(port.path) else make(port.path)
