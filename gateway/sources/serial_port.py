"""One serial port, kept open whatever happens to the cable, the adapter and the node behind it."""

import contextlib
import errno
import logging
import random
import termios
import threading
import time
from dataclasses import dataclass
from typing import Final

import serial

from firmware_scripts.frame import Decoder, Frame
from gateway.sources.dialogue import Dialogue
from gateway.sources.recording import Recorder
from gateway.sources.source import Arguments, Hear, NoAnswerError, NoteBad, PortState, UnknownNodeError

log = logging.getLogger(__name__)

GONE: Final = (serial.SerialException, OSError, termios.error)
"""What pyserial raises when a port has gone: which of them depends on the call."""

_MEND: Final = {
    errno.ENOENT: "is not there: plug it in, or mend its path",
    errno.EACCES: "may not be opened: add the gateway's user to the group dialout",
    errno.EAGAIN: "is in use by another program: end that first",
}
_READ_TIMEOUT_S: Final = 1.0
_WRITE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a port waits, in seconds of the real clock.

    Attributes:
        retry_s: before the first new try to open a port; doubles with each vain one.
        longest_retry_s: most between two tries.
        quiet_s: without a good frame for this long, and for three intervals, the port asks who is there.
        answer_s: for an answer, three times, before the port is opened anew or a command given up.
        interval_s: between a node's frames, until it has said so itself.
    """

    retry_s: float = 0.25
    longest_retry_s: float = 5.0
    quiet_s: float = 15.0
    answer_s: float = 2.0
    interval_s: float = 60.0


_PATIENT: Final = Patience()


class _SilentError(Exception):
    """The port is open and nobody answers."""


class SerialPort:
    """A source. The path is resolved anew at each opening, so a by-id link may come to point elsewhere.

    Whoever answers on it is bound to it: nodes are known by what they say, not by the socket they are plugged into.
    """

    def __init__(
        self,
        path: str,
        hear: Hear,
        note_bad: NoteBad,
        *,
        baud: int = 115200,
        patience: Patience = _PATIENT,
        recorder: Recorder | None = None,
    ) -> None:
        """Nothing is opened until `start`.

        Args:
            path: device, stable name, or pyserial URL.
            hear: takes each good frame, in this port's thread.
            note_bad: takes damaged lines of a known node.
            baud: speed of the line.
            patience: how long it waits.
            recorder: keeps what is heard.
        """
        self._path = path
        self._hear = hear
        self._note_bad = note_bad
        self._baud = baud
        self._patience = patience
        self._recorder = recorder
        self._dialogue = Dialogue(self._write, patience.answer_s)
        self._thread = threading.Thread(target=self._run, name=f"port {path}", daemon=True)
        self._stop = threading.Event()
        self._serial: serial.Serial | None = None
        self._nodes: frozenset[str] = frozenset()
        self._interval_s = patience.interval_s
        self._bad = 0
        self._opened = 0
        self._trouble = "not opened yet"
        self._heard_since_open = False

    def start(self) -> None:
        """Begin; a port that is not there yet is waited for."""
        self._thread.start()

    def states(self) -> list[PortState]:
        """How the port is."""
        is_open = self._serial is not None
        return [PortState(self._path, is_open, self._nodes, self._bad, self._opened, self._trouble)]

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """Ask a node; see `Source.send`."""
        if node not in self._nodes:
            raise UnknownNodeError(f"{node} has not been heard on {self._path}")
        try:
            return self._dialogue.ask(node, verb, arguments)
        except GONE as error:
            raise NoAnswerError(f"{node}: its port {self._path} has gone: {error}") from None

    def close(self) -> None:
        """End; see `Source.close`."""
        self._stop.set()
        port = self._serial
        if port is not None and hasattr(port, "cancel_read"):
            with contextlib.suppress(*GONE, TypeError):  # TypeError: it has closed itself just now
                port.cancel_read()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        wait_s = self._patience.retry_s
        while not self._stop.is_set():
            self._heard_since_open = False
            try:
                self._serve()
            except (*GONE, _SilentError) as error:
                self._note_trouble(error)
            if self._heard_since_open:
                wait_s = self._patience.retry_s
            self._stop.wait(wait_s * random.uniform(0.75, 1.0))  # noqa: S311 - spreads tries, guards nothing
            wait_s = min(wait_s * 2, self._patience.longest_retry_s)

    def _serve(self) -> None:
        """Open the port and listen until it goes, falls silent or is closed."""
        timeout_s = min(_READ_TIMEOUT_S, self._patience.answer_s)
        port = serial.serial_for_url(
            self._path, self._baud, timeout=timeout_s, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
        )
        try:
            self._serial = port
            self._opened += 1
            self._dialogue.identify()
            self._listen(port)
        finally:
            self._serial = None
            self._nodes = frozenset()
            with contextlib.suppress(*GONE):
                port.close()

    def _listen(self, port: serial.Serial) -> None:
        decoder = Decoder()
        bad, asked = 0, 0
        heard_at_s = time.monotonic()
        while not self._stop.is_set():
            data = port.read(port.in_waiting or 1)
            if data:
                if self._recorder is not None:
                    self._recorder.write(data, self._path)
                for frame in decoder.feed(data):
                    self._take(frame)
                    heard_at_s, asked = time.monotonic(), 0
                if decoder.bad != bad:
                    self._count_bad(decoder.bad - bad)
                    bad = decoder.bad
            asked = self._ask_when_silent(time.monotonic() - heard_at_s, asked)

    def _take(self, frame: Frame) -> None:
        if not self._heard_since_open or frame.node not in self._nodes:
            log.info("port %s: node %s is here", self._path, frame.node)
            self._nodes |= {frame.node}
            self._heard_since_open = True
            self._trouble = ""
        interval_ms = frame.fields.get("iv")
        if isinstance(interval_ms, int):
            self._interval_s = interval_ms / 1000
        self._dialogue.notice(frame)
        self._hear(frame, None)

    def _count_bad(self, lines: int) -> None:
        self._bad += lines
        if len(self._nodes) == 1:
            self._note_bad(next(iter(self._nodes)), lines)

    def _ask_when_silent(self, silent_s: float, asked: int) -> int:
        """Ask who is there when it has been too quiet; how often that has been done by now."""
        quiet_s = max(self._patience.quiet_s, 3 * self._interval_s)
        if silent_s < quiet_s + asked * self._patience.answer_s:
            return asked
        if asked == 3:
            raise _SilentError(f"nobody has answered for {silent_s:.0f} s")
        self._dialogue.identify()
        return asked + 1

    def _write(self, data: bytes) -> None:
        port = self._serial
        if port is None:
            raise serial.PortNotOpenError
        try:
            port.write(data)
        except serial.SerialTimeoutException:
            port.reset_output_buffer()
            log.warning("port %s: nobody takes what is sent", self._path)

    def _note_trouble(self, error: Exception) -> None:
        words = _MEND.get(getattr(error, "errno", None) or 0) or str(error) or type(error).__name__
        if words != self._trouble:
            log.warning("port %s: %s; trying again until it is there", self._path, words)
        self._trouble = words
