"""The node itself: measure each probe, send frames, obey commands; `poll` never waits."""

from firmware_scripts.commands import RefusedError, obey
from firmware_scripts.frame import MAX_DOWN, Decoder, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.frame import Frame
    from firmware_scripts.hardware import Board, Pairs, Probe, Stream
    from firmware_scripts.settings import Settings

FIRMWARE = "1.0.0"
WATCHDOG_RESET = 0x10
BAD_SETTINGS = 0x20
BLINK_MS = 5000
RESET_AFTER_MS = 100
LONGEST_WAIT_MS = 4000
"""Between two polls: half of what the watchdog allows."""
LONGEST_TYPED = 16
SHARED = ("vs", "tw")
"""Supply and temperature: the gateway reads pressures and distances by them."""
HELP = "# node %s firmware %s. Type !IDN or !GET. What changes something: monuoc-gateway send %s INT iv=60000\r\n"


class Node:
    """A superloop's content: call `poll` again and again, sleep in between for at most what it returns."""

    def __init__(self, name: str, board: "Board", link: "Stream", probes: "list[Probe]", settings: "Settings") -> None:
        self.name = name
        self.note = ""
        """What a technician should know, shown with `?`."""
        self.flags = 0
        """Bits of `fl` that stay for this run."""
        self.cause = "pwr"
        """Why the node started: "pwr", "wdt" or "sw"."""
        self._board = board
        self._link = link
        self._probes = probes
        self._settings = settings
        self._decoder = Decoder(MAX_DOWN, keep=0)
        self._typed = b""
        self._seq = 0
        self._up_ms = 0
        self._ticks_ms = board.ticks_ms()
        self._started = False
        self._due_ms = 0
        self._measuring = False
        self._get_tag: int | None = None
        self._last: "tuple[Frame, str, Pairs] | None" = None
        self._blink_end_ms = 0
        self._reset_at_ms = 0
        self._rebooted_by = -1

    def start(self, reset_by_watchdog: bool) -> None:
        """Read the settings and find out why the node has started."""
        self._rebooted_by = self._settings.load()
        if reset_by_watchdog:
            self.cause = "sw" if self._rebooted_by >= 0 else "wdt"
        if self.cause == "wdt":
            self.flags |= WATCHDOG_RESET

    def poll(self) -> int:
        """Do all that is due. Returns for how many milliseconds nothing will be, unless a byte comes: 1..4000."""
        self._board.feed()
        ticks_ms = self._board.ticks_ms()
        self._up_ms += self._board.ticks_diff(ticks_ms, self._ticks_ms)
        self._ticks_ms = ticks_ms
        if not self._started:
            self._started = True
            self._send_start([])
        self._hear(self._link.read() or b"")
        wait_ms = self._measure()
        self._settings.flush(self._up_ms)
        wait_ms = min(wait_ms, self._blink(), self._reset_when_due())
        return max(1, min(wait_ms, LONGEST_WAIT_MS))

    def _measure(self) -> int:
        """Begin, go on with or end a measurement; the milliseconds until more is to be done."""
        if not self._measuring:
            if self._up_ms < self._due_ms:
                return self._due_ms - self._up_ms
            self._measuring = True
            for probe in self._probes:
                probe.start(self._up_ms)
        waits = [probe.poll(self._up_ms) for probe in self._probes]
        waits = [wait_ms for wait_ms in waits if wait_ms]
        if waits:
            return min(waits)
        self._measuring = False
        self._send_data()
        self._due_ms += self._settings.interval_ms
        if self._due_ms <= self._up_ms:
            self._due_ms = self._up_ms + self._settings.interval_ms
        return self._due_ms - self._up_ms

    def _readings(self) -> "Pairs":
        pairs: Pairs = []
        for probe in self._probes:
            pairs += probe.pairs()
        return pairs

    def _send_data(self) -> None:
        flags = self.flags
        for probe in self._probes:
            flags |= probe.flags()
        if self._settings.corrupt:
            flags |= BAD_SETTINGS
        common: Pairs = [("er", self._decoder.bad % 65536), ("fl", "%02X" % flags)]
        if self._get_tag is not None:
            common.append(("tg", self._get_tag))
            self._get_tag = None
        try:
            self._send("D", self._readings() + common)
        except ValueError:
            self._send_parts(common)

    def _send_parts(self, common: "Pairs") -> None:
        """A node with many probes needs several frames; what others are judged or corrected by stands in each."""
        groups = [probe.pairs() for probe in self._probes]
        shared = [group for group in groups if group[0][0][:2] in SHARED]
        others = [group for group in groups if group not in shared]
        each = common
        for group in shared:
            each = group + each
        if not all(self._fits(group + each) for group in others):
            others, each = groups, common  # so many supplies and thermometers that they need frames of their own
        held: Pairs = []
        for group in others:
            if held and not self._fits(held + group + each):
                self._send("D", held + each)
                held = []
            held += group
        self._send("D", held + each)

    def _fits(self, pairs: "Pairs") -> bool:
        try:
            encode("D", self.name, 65535, self._up_ms, pairs)
        except ValueError:
            return False
        return True

    def _send_start(self, more: "Pairs") -> None:
        pairs: Pairs = [
            ("fw", FIRMWARE),
            ("hw", self._board.name),
            ("ui", self._board.unique_id()),
            ("rc", self.cause),
            ("bt", self._settings.boots),
            ("iv", self._settings.interval_ms),
            ("cf", self._settings.crc()),
        ]
        self._send("B", pairs + more)

    def _send(self, kind: str, pairs: "Pairs") -> None:
        line = encode(kind, self.name, self._seq, self._up_ms, pairs)
        self._seq = (self._seq + 1) % 65536
        self._link.write(line)

    def _hear(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            if frame.kind == "C" and frame.node in {self.name, "*"}:
                self._answer(frame)
        for byte in data:
            if byte in {10, 13}:
                self._answer_typed(self._typed)
                self._typed = b""
            elif len(self._typed) < LONGEST_TYPED:
                self._typed += bytes([byte])

    def _answer(self, frame: "Frame") -> None:
        if frame.verb == "IDN":
            self._blink_end_ms = self._up_ms + BLINK_MS
            self._send_start([("tg", frame.tag)])
        elif frame.verb == "GET":
            self._get_tag = frame.tag
            self._due_ms = min(self._due_ms, self._up_ms)
        else:
            self._answer_once(frame)

    def _answer_once(self, frame: "Frame") -> None:
        """Answer; a repeat of the last command gets the same answer and is not done twice."""
        if self._last is None or self._last[0] != frame:
            try:
                kind, pairs = "A", self._obey(frame)
                self._settings.flush(self._up_ms)  # what is answered should be kept
            except RefusedError as refused:
                kind, pairs = "N", [("ec", str(refused.args[0]))]
            self._last = (frame, kind, pairs)
        _, kind, pairs = self._last
        head: Pairs = [("tg", frame.tag), ("vb", frame.verb)]
        self._send(kind, head + pairs)

    def _obey(self, frame: "Frame") -> "Pairs":
        if self._reset_at_ms:
            raise RefusedError("busy")
        if frame.node == "*":
            raise RefusedError("arg")
        if frame.verb != "RBT":
            return obey(frame, self._settings, self._readings())
        if frame.tag != self._rebooted_by:  # else this is a repeat of what the node has just done
            self._settings.reboot_tag = frame.tag
            self._settings.write(self._up_ms)
            self._reset_at_ms = self._up_ms + RESET_AFTER_MS
        self._rebooted_by = -1
        return []

    def _answer_typed(self, line: bytes) -> None:
        """A person at a terminal may ask without a CRC, and only ask."""
        if line == b"?":
            self._link.write((HELP % (self.name, FIRMWARE, self.name)).encode())
            if self.note:
                self._link.write(("# %s\r\n" % self.note).encode())
        elif line == b"!IDN":
            self._blink_end_ms = self._up_ms + BLINK_MS
            self._send_start([])
        elif line == b"!GET":
            self._due_ms = min(self._due_ms, self._up_ms)

    def _blink(self) -> int:
        if not self._blink_end_ms:
            return LONGEST_WAIT_MS
        if self._up_ms >= self._blink_end_ms:
            self._blink_end_ms = 0
            self._board.led(False)
            return LONGEST_WAIT_MS
        self._board.led(self._up_ms // 250 % 2 == 0)
        return 250 - self._up_ms % 250

    def _reset_when_due(self) -> int:
        if not self._reset_at_ms:
            return LONGEST_WAIT_MS
        if self._up_ms >= self._reset_at_ms:
            self._board.reset()
        return max(1, self._reset_at_ms - self._up_ms)
