"""A board on the table: time and lines moved by the test."""

from firmware_scripts.frame import Decoder, Frame
from firmware_scripts.hardware import Probe
from firmware_scripts.node import Node
from firmware_scripts.settings import Settings

PERIOD = 1 << 30


class BenchBoard:
    """Ticks wrap as on the real one."""

    name = "bench"

    def __init__(self, ticks_ms: int = 0) -> None:
        self.now_ms = ticks_ms
        self.light = False
        self.resets = 0
        self.fed = 0

    def ticks_ms(self) -> int:
        return self.now_ms % PERIOD

    def ticks_diff(self, later: int, earlier: int) -> int:
        return (later - earlier + PERIOD // 2) % PERIOD - PERIOD // 2

    def unique_id(self) -> str:
        return "E6614103E7"

    def led(self, on: bool) -> None:
        self.light = on

    def feed(self) -> None:
        self.fed += 1

    def reset(self) -> None:
        self.resets += 1


class BenchLink:
    """A line whose both ends the test holds."""

    def __init__(self) -> None:
        self.incoming = b""
        self.outgoing = b""

    def read(self) -> bytes | None:
        data, self.incoming = self.incoming, b""
        return data or None

    def write(self, data: bytes) -> int | None:
        self.outgoing += data
        return len(data)


class Bench:
    """A node with its board and link; `run` lets time pass as the program's loop does."""

    def __init__(self, probes: list[Probe], settings: Settings, ticks_ms: int = 0) -> None:
        self.board = BenchBoard(ticks_ms)
        self.link = BenchLink()
        self.settings = settings
        self.node = Node("T01", self.board, self.link, probes, settings)
        self.decoder = Decoder()

    def run(self, for_ms: int) -> list[Frame]:
        end_ms = self.board.now_ms + for_ms
        while True:
            wait_ms = self.node.poll()
            if self.board.now_ms + wait_ms > end_ms:
                self.board.now_ms = end_ms
                self.node.poll()
                return self.heard()
            self.board.now_ms += wait_ms

    def heard(self) -> list[Frame]:
        data, self.link.outgoing = self.link.outgoing, b""
        return self.decoder.feed(data)

    def ask(self, line: bytes) -> list[Frame]:
        """Frames that the node sends at once when this comes in."""
        self.heard()
        self.link.incoming = line
        self.node.poll()
        return self.heard()
