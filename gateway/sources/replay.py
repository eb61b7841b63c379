"""Plays a recording again: the same frames with the instants at which they were heard."""

import threading
from pathlib import Path
from typing import Final

from firmware_scripts.frame import Decoder, Frame
from gateway.sources.recording import Line, read_recording
from gateway.sources.source import Arguments, Hear, NoteBad, PortState, UnknownNodeError

_LONGEST_PAUSE_S: Final = 3600.0


class Replay:
    """A source that ends by itself, with the recording."""

    def __init__(self, path: Path, hear: Hear, note_bad: NoteBad, pace: float = 1.0) -> None:
        """Nothing is read until `start`.

        Args:
            path: the recording.
            hear: takes each good frame with its recorded instant.
            note_bad: takes damaged lines, once a single node is known.
            pace: how many times faster than recorded; 0: as fast as possible.
        """
        self._path = path
        self._hear = hear
        self._note_bad = note_bad
        self._pace = pace
        self._thread = threading.Thread(target=self._run, name=f"replay {path}", daemon=True)
        self._stop = threading.Event()
        self.ended = threading.Event()
        self._decoder = Decoder()
        self._nodes: frozenset[str] = frozenset()
        self._trouble = ""

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def states(self) -> list[PortState]:
        """How far it is: open until the recording has ended."""
        playing = self._thread.is_alive()
        return [PortState(str(self._path), playing, self._nodes, self._decoder.bad, 1, self._trouble)]

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:  # noqa: ARG002 - nobody is there to be asked
        """Nobody can be asked in a recording."""
        raise UnknownNodeError(f"{node} is only recorded and cannot be asked")

    def close(self) -> None:
        """End; see `Source.close`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        last_ms: int | None = None
        try:
            for line in read_recording(self._path):
                self._pause(last_ms, line.at_ms)
                last_ms = line.at_ms if line.at_ms is not None else last_ms
                if self._stop.is_set():
                    return
                self._play(line)
        except OSError as error:
            self._trouble = f"cannot be read: {error.strerror}"
        self.ended.set()

    def _pause(self, last_ms: int | None, at_ms: int | None) -> None:
        if self._pace and last_ms is not None and at_ms is not None and at_ms > last_ms:
            self._stop.wait(min((at_ms - last_ms) / 1000 / self._pace, _LONGEST_PAUSE_S))

    def _play(self, line: Line) -> None:
        bad = self._decoder.bad
        for frame in self._decoder.feed(line.data + b"\n"):
            self._nodes |= {frame.node}
            self._hear(frame, line.at_ms)
        if self._decoder.bad != bad and len(self._nodes) == 1:
            self._note_bad(next(iter(self._nodes)), self._decoder.bad - bad)
