"""Ask a node over a port and wait for the answer that bears the same tag."""

import queue
import secrets
import threading
from collections.abc import Callable
from typing import Final

from firmware_scripts.frame import Frame, encode_command
from gateway.sources.source import Arguments, NoAnswerError

TRIES: Final = 3
WAIT_S: Final = 2.0
_TAGS: Final = 10_000


class Dialogue:
    """Questions over one port, one at a time; several threads may ask.

    A question is repeated with the same tag, by which a node knows that it has obeyed already. Tags begin anywhere, so
    that a gateway that has just been started does not repeat one by chance.
    """

    def __init__(self, write: Callable[[bytes], None], wait_s: float = WAIT_S) -> None:
        """`write` puts bytes on the line; what it raises ends the question."""
        self._write = write
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._tag = secrets.randbelow(_TAGS)
        self._awaited = -1
        self._answers: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def ask(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """The node's answer.

        Raises:
            NoAnswerError: none came after three tries.
            ValueError: the command breaks the grammar of frames.
        """
        with self._turn:
            tag = self._next_tag()
            line = encode_command(node, tag, verb, list(arguments.items()))
            self._answers = queue.SimpleQueue()
            self._awaited = tag
            try:
                return self._repeat(line, node)
            finally:
                self._awaited = -1

    def identify(self) -> None:
        """Ask whoever is there for its name; the answer is an ordinary B frame that nobody waits for."""
        self._write(encode_command("*", self._next_tag(), "IDN", []))

    def notice(self, frame: Frame) -> None:
        """A frame has come over this port."""
        if self._awaited >= 0 and frame.fields.get("tg") == self._awaited:
            self._answers.put(frame)

    def _repeat(self, line: bytes, node: str) -> Frame:
        for _ in range(TRIES):
            self._write(line)
            try:
                answer = self._answers.get(timeout=self._wait_s)
                while answer.node != node:
                    answer = self._answers.get(timeout=self._wait_s)
            except queue.Empty:
                continue
            return answer
        raise NoAnswerError(f"{node} does not answer: asked {TRIES} times in {TRIES * self._wait_s:.0f} s")

    def _next_tag(self) -> int:
        self._tag = (self._tag + 1) % _TAGS
        return self._tag
