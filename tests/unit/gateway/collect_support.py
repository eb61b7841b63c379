"""A collector on a real spool, and nodes that tell the truth about their pulses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from firmware_scripts.frame import Decoder, Frame, encode
from gateway.clock import EARLIEST_MS, Stamp
from gateway.collect import Collector
from gateway.config import NodeConfig
from gateway.spool import Spool
from gateway.wire import Reading
from gateway.wire.record import decode_record

START_MS = EARLIEST_MS + 1_000_000_000


def frame(kind: str, seq: int, up_ms: int, node: str = "T01", **fields: int | str | None) -> Frame:
    """A frame that has been over the line."""
    (made,) = Decoder().feed(encode(kind, node, seq, up_ms, list(fields.items())))
    return made


@dataclass
class Rig:
    """A collector that can be killed and started again."""

    path: Path
    configs: dict[str, NodeConfig] = field(default_factory=dict)
    at_ms: int = START_MS
    offset_ms: int = START_MS - 1000
    believed: bool = True
    boot: str = "boot1"

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.spool = Spool.open(self.path)
        self.collector = Collector(self.configs, self.spool, self.now, self.boot)
        self.collector.start()

    def kill(self) -> None:
        """What was not committed is gone, as by kill -9."""
        self.spool._table.close()
        self.spool._closed = True
        self.start()

    def now(self) -> Stamp:
        return Stamp(self.at_ms, self.at_ms - self.offset_ms, self.believed)

    def hear(self, heard: Frame, after_ms: int = 1000) -> None:
        self.at_ms += after_ms
        self.collector.hear(heard)

    def records(self) -> list[tuple[int, bool, dict[str, Reading]]]:
        """(instant, believed, reading by channel) of all that is in the spool, oldest first."""
        self.spool.commit()
        stored = self.spool.read_oldest(0, 10**9, ())
        return [
            (row.at_ms, row.believed, {reading.channel: reading for reading in decode_record(row.body)[1]})
            for row in stored
        ]

    def last(self) -> dict[str, Reading]:
        return self.records()[-1][2]

    def total_l(self) -> float:
        value = self.last()["volume_total_l"].value
        assert value is not None
        return value

    def close(self) -> None:
        self.spool.close()


@contextmanager
def rig(path: Path, **configs: NodeConfig) -> Iterator[Rig]:
    made = Rig(path, configs)
    try:
        yield made
    finally:
        made.close()
