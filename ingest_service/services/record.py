"""Turn readings that arrived into observations at assets: place, check, derive."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest_service.domain.places import Register
from ingest_service.services.ports import Observations, Points


@dataclass(slots=True)
class Arrived:
    """A run of readings of one channel as a pack brought them.

    Attributes:
        node: `Node.key`, "{gateway}/{id}".
        channel: catalogue key, with a digit 2 to 9 behind it for a second probe of the kind.
        at_ms: instants in milliseconds since 1970 UTC, rising.
        value: in the quantity's unit; None means tried and failed.
        qc: the gateway's verdict each: 2 (not evaluated), 3, 4, or 9 with None.
    """

    node: str
    channel: str
    at_ms: list[int]
    value: list[float | None]
    qc: list[int]


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings of a run that cannot be recorded; the rest of the run was.

    Attributes:
        run: index of the run in the call.
        reason: key: "unknown_node", "unknown_channel", "no_placement" or "absurd_time".
        detail: numbers and names for the operator, plain English.
    """

    run: int
    reason: str
    detail: str


@dataclass(slots=True)
class Recorded:
    """What a call made of its runs: observations to be stored, and what was refused."""

    points: list[Points] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Recorder:
    """Places, checks and derives; it remembers the last readings of each level series, and writes nothing.

    The caller stores the points of one call of `record` before it calls again, in one write; after a failed write it
    calls `forget`. So the flag of a reading depends only on what is stored before it, and a repeat changes nothing.
    """

    def __init__(self, observations: Observations, register: Register) -> None:
        self._observations = observations
        self.use(register)

    def use(self, register: Register) -> None:
        """Take `register` as the truth from now on."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what is remembered, because the last points were not stored."""
        raise NotImplementedError

    def record(self, runs: Sequence[Arrived], now_ms: int) -> Recorded:
        """Make observations of all runs (of many packs, in order of arrival).

        Args:
            runs: what arrived.
            now_ms: the present instant; readings later than five minutes from it are refused.

        Raises:
            StoreUnavailableError: the store could not be asked for earlier readings; nothing was recorded.
        """
        raise NotImplementedError
