"""Empties the spool towards the server: fresh frames first, backlog alongside, nothing forgotten unanswered.

When link or server come back the newest frame of each node goes before the backlog: people want to know how it is now.

A frame is sent only after it has been committed to the spool, so that what the server has seen can never regress
with a restart; the exception is a spool whose disk refuses, when memory is all there is. A pack without an answer in
time is simply no longer under way: its frames are still in the spool and go again, with the same instants and values,
maybe in other company. As long as the server is silent, one pack at a time knocks, at growing intervals.
"""

import logging
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.config import RelayConfig
from gateway.spool import Spool, Stored

log = logging.getLogger(__name__)

LONGEST_PATIENCE_S: Final = 300.0
_LATE_PACKS: Final = 256


class Pack(Protocol):
    """A message body and how it is coded."""

    @property
    def payload(self) -> bytes:
        """As it goes over the wire."""

    @property
    def encoding(self) -> str:
        """How it is coded; "" for not at all."""


Build = Callable[[Sequence[tuple[int, bool, bytes]]], Pack]
"""Makes a pack of (at_ms, believed, body)."""


class Link(Protocol):
    """What the relay needs of the broker."""

    @property
    def connected(self) -> bool:
        """Whether anything can be published."""

    @property
    def session(self) -> int:
        """Grows with every new connection."""

    def publish_pack(self, pack_id: str, payload: bytes, encoding: str) -> bool:
        """Hand over a pack; False if that cannot be done now."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A pack under way: ids of its frames, when its answer is overdue, whether it is backlog."""

    ids: tuple[int, ...]
    due_s: float
    backlog: bool


class Relay:
    """Driven by one thread: `take_answer` for each answer, then `turn`.

    Attributes:
        sent: packs handed to the broker, repeats included.
        overdue: packs whose answer did not come in time.
        rejected: packs that the server refused (and keeps).
    """

    def __init__(self, spool: Spool, link: Link, build: Build, config: RelayConfig) -> None:
        self.sent = self.overdue = self.rejected = 0
        self._spool = spool
        self._link = link
        self._build = build
        self._config = config
        self._prefix = f"{random.getrandbits(32):08x}-"  # must only differ from earlier runs
        self._session = 0
        self._flights: dict[str, _Flight] = {}
        self._late: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._newest: deque[Stored] = deque()
        self._returned = False
        self._cursor = 0
        self._backlog_limit = 1
        self._patience_s = config.answer_timeout_s
        self._silent = False

    def take_answer(self, ok: Sequence[str], rejected: Mapping[str, str]) -> None:
        """The server has answered: forget these packs' frames. Unknown, repeated and late ids do no harm."""
        known = [ids for pack_id in (*ok, *rejected) if (ids := self._land(pack_id))]
        for pack_id, reason in rejected.items():
            self.rejected += 1
            log.warning("the server rejected pack %s (%s); it keeps it for people to look at", pack_id, reason)
        if known:
            landed = {entry_id for ids in known for entry_id in ids}
            self._spool.forget(landed)
            self._strike(landed)
            self._newest = deque(stored for stored in self._newest if stored.id not in landed)
            self._returned |= self._silent
            self._hope()
            self._backlog_limit = min(self._backlog_limit + 1, self._config.backlog_window)

    def turn(self) -> float | None:
        """Send what may be sent; seconds until an answer is overdue, None when nothing is under way."""
        if not self._link.connected or self._link.session != self._session:
            self._give_up(list(self._flights))
            self._session = self._link.session
            self._returned = True
            self._hope()
        fresh = self._spool.take_fresh()
        if not self._link.connected:
            return None
        self._expire()
        self._send_fresh(fresh)
        self._send_newest()
        self._send_backlog()
        now_s = time.monotonic()
        return min((max(0.0, flight.due_s - now_s) for flight in self._flights.values()), default=None)

    def _land(self, pack_id: str) -> tuple[int, ...]:
        flight = self._flights.pop(pack_id, None)
        return flight.ids if flight else self._late.pop(pack_id, ())

    def _strike(self, landed: set[int]) -> None:
        """A frame that went out twice is answered for twice, but is to be forgotten once."""
        if not self._late:
            return
        left = {pack_id: tuple(one for one in ids if one not in landed) for pack_id, ids in self._late.items()}
        self._late = OrderedDict((pack_id, ids) for pack_id, ids in left.items() if ids)
        for pack_id, flight in self._flights.items():
            self._flights[pack_id] = replace(flight, ids=tuple(one for one in flight.ids if one not in landed))

    def _expire(self) -> None:
        now_s = time.monotonic()
        overdue = [pack_id for pack_id, flight in self._flights.items() if flight.due_s <= now_s]
        if not overdue:
            return
        self._give_up(overdue)
        self.overdue += len(overdue)
        if not self._silent:
            words = "is it running, and does the broker let us read its answers?"
            log.warning("the server has not answered for %d packs, trying again; %s", len(overdue), words)
        self._silent = True
        self._backlog_limit = 1
        if not self._flights:
            self._patience_s = min(self._patience_s * 2, max(LONGEST_PATIENCE_S, self._config.answer_timeout_s))

    def _hope(self) -> None:
        self._silent = False
        self._patience_s = self._config.answer_timeout_s

    def _give_up(self, pack_ids: list[str]) -> None:
        """Count these no longer as under way; an answer that comes late is still understood."""
        for pack_id in pack_ids:
            self._late[pack_id] = self._flights.pop(pack_id).ids
            self._cursor = 0
        while len(self._late) > _LATE_PACKS:
            self._late.popitem(last=False)

    def _send_fresh(self, fresh: Sequence[Stored]) -> None:
        under_way = self._list_under_way()
        for stored in fresh:
            if not self._has_room():
                break
            if stored.id not in under_way:  # another thread may have committed it just before the spool was read
                self._send([stored], backlog=False)

    def _send_newest(self) -> None:
        if self._returned:
            self._returned = False
            self._newest = deque(self._spool.read_newest(self._list_under_way()))
        while self._newest and self._has_room() and self._send([self._newest[0]], backlog=False):
            self._newest.popleft()

    def _list_under_way(self) -> set[int]:
        return {entry_id for flight in self._flights.values() for entry_id in flight.ids}

    def _send_backlog(self) -> None:
        under_way = self._list_under_way()
        running = sum(flight.backlog for flight in self._flights.values())
        while running < self._backlog_limit and self._has_room() and self._spool.depth() > len(under_way):
            chosen = self._spool.read_oldest(self._cursor, self._config.backlog_readings, under_way)
            if not chosen:
                if self._cursor == 0:
                    break
                self._cursor = 0
                continue
            if not self._send(chosen, backlog=True):
                break
            under_way.update(stored.id for stored in chosen)
            self._cursor = chosen[-1].id
            running += 1

    def _has_room(self) -> bool:
        return len(self._flights) < (1 if self._silent else self._config.window)

    def _send(self, chosen: Sequence[Stored], *, backlog: bool) -> bool:
        pack = self._build([(stored.at_ms, stored.believed, stored.body) for stored in chosen])
        self.sent += 1
        pack_id = f"{self._prefix}{self.sent:x}"
        if not self._link.publish_pack(pack_id, pack.payload, pack.encoding):
            return False
        due_s = time.monotonic() + self._patience_s * random.uniform(1.0, 1.25)  # noqa: S311 - jitter
        self._flights[pack_id] = _Flight(tuple(stored.id for stored in chosen), due_s, backlog)
        return True
