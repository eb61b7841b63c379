"""What every source of frames can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from firmware_scripts.frame import Frame

Hear = Callable[[Frame, int | None], None]
"""Takes each good frame in the source's own thread, with its recorded instant in ms, None: just now."""
NoteBad = Callable[[str, int], None]
"""Takes a node's id and how many damaged lines have come over its port."""
Arguments = Mapping[str, int | str]


class NoAnswerError(Exception):
    """The node has been asked as often as it should be, and has not answered."""


class UnknownNodeError(Exception):
    """No open port has heard this node."""


@dataclass(frozen=True, slots=True)
class PortState:
    """How one port is.

    Attributes:
        name: stable name from the configuration.
        open: whether it is open now.
        nodes: heard since it was opened.
        bad: damaged lines in all.
        opened: how often it has been opened.
        trouble: why it is not open, or why it was opened anew; "" when all is well.
    """

    name: str
    open: bool
    nodes: frozenset[str]
    bad: int
    opened: int
    trouble: str


class Source(Protocol):
    """One or more ports that bring frames until they are closed."""

    def start(self) -> None:
        """Begin to hand over frames, in threads of the source's own. Returns at once."""

    def states(self) -> list[PortState]:
        """How each port is."""

    def send(self, node: str, verb: str, arguments: Arguments) -> Frame:
        """Ask a node and wait for its answer.

        Returns:
            The node's frame: A (done), N (refused, `ec` says why), B for IDN, D for GET.

        Raises:
            UnknownNodeError: it has not been heard here.
            NoAnswerError: it does not answer.
            ValueError: the command breaks the grammar of frames.
        """

    def close(self) -> None:
        """End, and wait until no more frame will be handed over. Harmless when called twice."""
