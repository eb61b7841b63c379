"""What the services need from the world, as protocols; adapters live in `storage`, `channels` and `mqtt`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, NamedTuple, Protocol

from ingest_service.domain.places import Register

Now = Callable[[], int]
"""The present instant in milliseconds since 1970 UTC. Injected, so that a demonstration can run fast."""


class Qc(IntEnum):
    """Quality of an observation, QARTOD codes."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class SeriesKey(NamedTuple):
    """Identity of a series: an asset (or "gateway:…", "node:…") and a catalogue key."""

    asset: str
    quantity: str


@dataclass(slots=True)
class Points:
    """A run of observations of one series, as columns of one length.

    Attributes:
        key: whose.
        at_ms: instants in milliseconds since 1970 UTC, strictly increasing.
        value: in the quantity's unit; None means tried and failed.
        qc: a `Qc` code each.
    """

    key: SeriesKey
    at_ms: list[int]
    value: list[float | None]
    qc: list[int]


class Observation(NamedTuple):
    """One observation."""

    at_ms: int
    value: float | None
    qc: int


class Bucket(NamedTuple):
    """One step of an aggregate. Only QC 1 counts; a step with none has samples 0 and None elsewhere."""

    start_ms: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    last: float | None
    samples: int


class StoreUnavailableError(Exception):
    """The store cannot take anything now (down, full, slow). Try again; answer nobody."""


class PointsRefusedError(Exception):
    """The store will never take some of the points as they are; all others of the call are stored durably.

    Attributes:
        refused: those points, each run with the store's own words.
    """

    def __init__(self, refused: Sequence[tuple[Points, str]]) -> None:
        points, words = refused[0]
        super().__init__(
            f"the store refuses {sum(len(run.at_ms) for run, _ in refused)} points ({points.key}: {words})"
        )
        self.refused = refused


class Observations(Protocol):
    """History of observations. A point's identity is (series, instant); writing it again overwrites it.

    Every method raises `StoreUnavailableError` when the store cannot serve.
    """

    def write(self, batch: Sequence[Points]) -> None:
        """Store all of it durably before returning: all or nothing as seen by a reader is not promised.

        Raises:
            PointsRefusedError: some of it cannot ever be stored as it is; the rest was.
        """

    def latest(self, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Observation]:
        """Newest observation of each series; a series with none is absent."""

    def read(self, key: SeriesKey, from_ms: int, to_ms: int) -> Points:
        """Observations in [from_ms, to_ms), oldest first."""

    def before(self, key: SeriesKey, before_ms: int, count: int) -> Points:
        """The last `count` observations with an instant < before_ms, oldest first."""

    def aggregate(self, key: SeriesKey, from_ms: int, to_ms: int, step_ms: int) -> list[Bucket]:
        """QC-1 observations of [from_ms, to_ms) by steps counted from from_ms; every step is present."""

    def series(self) -> list[SeriesKey]:
        """All series that hold anything, sorted."""

    def close(self) -> None:
        """Give back files and connections; harmless when called twice."""


@dataclass(frozen=True, slots=True)
class Reject:
    """What could not be understood, kept as it came."""

    received_ms: int
    topic: str
    payload: bytes
    reason: str
    detail: str = ""


Severity = Literal["info", "warning", "critical"]
AlertState = Literal["raised", "cleared", "changed"]


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A rule's state at an asset changed. Rows are only ever added.

    Attributes:
        alert_id: the same from raise to clear; unique per (rule, asset, raise).
        rule: key of the rule, e.g. "tank_low".
        asset: `Asset.key`, or "gateway:{id}" / "node:{gateway}/{id}" for rules about devices.
        state: raised, cleared, or changed (severity went up or down while open).
        at_ms: event time at which the rule became true or false.
        decided_ms: when `watch` decided; differs from at_ms by delay and late data.
        reason: short key of the why, rendered by `text` (e.g. "below_threshold").
        evidence: numbers for the rendering: value, threshold, unit, window_from_ms, window_to_ms ...
        quiet: true when it must wake nobody (late data).
    """

    alert_id: str
    rule: str
    asset: str
    state: AlertState
    severity: Severity
    at_ms: int
    decided_ms: int
    reason: str
    evidence: Mapping[str, float | int | str | None] = field(default_factory=dict)
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that has been raised and not cleared, with its latest change."""

    raised_ms: int
    latest: AlertChange


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last thing that a gateway said about itself.

    Attributes:
        gateway: its id.
        at_ms: instant by the gateway's own clock.
        received_ms: instant by the server's clock.
        online: False when the broker sent its will.
        body: the message as sent (spool depth, last frame per node, clock state ...).
    """

    gateway: str
    at_ms: int
    received_ms: int
    online: bool
    body: Mapping[str, object] = field(default_factory=dict)


class Records(Protocol):
    """Everything that is not a series. Every method raises `StoreUnavailableError` when the store cannot serve."""

    def register(self) -> Register:
        """The current snapshot of places, assets, nodes and placements."""

    def register_version(self) -> int:
        """Version of that snapshot; cheap, for polling."""

    def replace_register(self, register: Register) -> int:
        """Make `register` the current one; the new version is returned."""

    def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Store them durably before returning; the oldest of all are dropped where they would take too much room."""

    def rejects(self, limit: int = 100) -> list[tuple[int, Reject]]:
        """Newest first, each with its id."""

    def drop_rejects(self, ids: Sequence[int]) -> None:
        """Forget rejects that have since been taken in."""

    def count_rejects(self) -> dict[str, int]:
        """How many are kept, by reason."""

    def count_dropped_rejects(self) -> dict[str, int]:
        """How many were dropped for room since the beginning, by reason."""

    def append_changes(self, changes: Sequence[AlertChange], states: Mapping[str, str]) -> None:
        """Add alert changes and save the rules' working states in one transaction.

        Args:
            changes: rows to add.
            states: "{rule}@{asset}" -> opaque text that `judge` reads back after a restart.
        """

    def rule_states(self) -> dict[str, str]:
        """The working states last saved."""

    def open_alerts(self) -> list[OpenAlert]:
        """Alerts raised and not cleared, critical first, then oldest first."""

    def changes(
        self, *, asset: str | None = None, from_ms: int = 0, to_ms: int | None = None, limit: int = 1000
    ) -> list[AlertChange]:
        """Alert changes by at_ms, newest first."""

    def undelivered(self, channel: str, limit: int = 100) -> list[tuple[int, AlertChange]]:
        """Changes with an id above the channel's mark, not quiet, oldest first."""

    def mark_delivered(self, channel: str, change_id: int) -> None:
        """Move the channel's mark."""

    def save_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Keep the newest per gateway (by received_ms)."""

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The newest per gateway id."""

    def ready(self) -> None:
        """Return if a trivial read works, else raise."""

    def close(self) -> None:
        """Give back connections; harmless when called twice."""


class Channel(Protocol):
    """A way to reach people."""

    name: str

    def send(self, text: str) -> None:
        """Deliver one notice; raises OSError when it may be tried again."""
