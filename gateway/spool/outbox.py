"""The outbox: frames are gathered in memory for seconds, committed together, and deleted once answered for."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.spool import file
from gateway.spool.entry import Counters, Entry, Limits, Stored
from gateway.spool.table import Batch, Found, Table

log = logging.getLogger(__name__)

_DEFAULT_LIMITS: Final = Limits()
_FORGET_ALONE_AFTER_S: Final = 60.0
"""Deletes ride in the next commit of frames; without one they wait this long."""
_FORGET_AT_ONCE: Final = 2000
_FRESH: Final = 64


class Spool:
    """A durable outbox for frames. Every method may be called from any thread.

    What `append` was given is durable after the next `commit`, which somebody calls when `seconds_to_commit` says so;
    nothing at all is written while there is nothing to write. When a commit fails (disk full, card read-only) the
    newest frames are kept in memory and offered to the relay from there; `trouble` says why, and every later commit
    tries again.

    Attributes:
        trouble: why the last write failed; "" when all is well.
        dropped: frames dropped from memory while the disk refused.
        held: committed frames that wait for a believable clock.
    """

    def __init__(self, path: Path, limits: Limits, table: Table) -> None:
        self._path = path
        self._limits = limits
        self._table = table
        self._table_lock = threading.Lock()
        self._lock = threading.Lock()  # of everything below; never held while the disk is waited for
        self._counters = Counters()
        self._state: dict[str, str] = {}
        self._waiting = Batch()
        self._fresh: deque[Stored] = deque(maxlen=_FRESH)
        self._offered_id = 0
        self._due_s: float | None = None
        self._closed = False
        self.trouble = ""
        self.dropped = 0
        self.held = 0

    @classmethod
    def open(cls, path: Path, limits: Limits = _DEFAULT_LIMITS) -> "Spool":
        """Open or make the spool; a damaged file is set aside and what is readable is carried over.

        Args:
            path: the SQLite file; its folder exists.
            limits: how long and how much.

        Raises:
            sqlite3.Error: the file cannot be opened (in use by another gateway, no permission, disk full).
        """
        spool = cls(path, limits, Table(file.open_file(path)))
        spool._load()
        return spool

    def _load(self) -> None:
        self._counters = self._table.read_counters()
        self._counters.next_id = max(self._counters.next_id, self._table.last_id() + 1)
        self._state = self._table.read_state()
        self.held = self._table.count_held()
        self._offered_id = self._counters.next_id - 1

    # -- taking in ---------------------------------------------------------------------------------------------------

    def append(self, entry: Entry, state: Mapping[str, str]) -> None:
        """Take a frame, with what the caller wants to read back after a restart.

        `state` is words by key, saved in the same commit as the frame; other keys stay.
        """
        with self._lock:
            entries = self._waiting.entries
            entries[self._counters.next_id] = entry
            self._counters.next_id += 1
            self._waiting.state.update(state)
            self._schedule(self._limits.commit_interval_s)
            full = len(entries) >= self._limits.commit_entries and not self.trouble
            if len(entries) > self._limits.memory_entries:
                del entries[next(iter(entries))]
                self.dropped += 1
        if full:
            self.commit()

    def state(self) -> dict[str, str]:
        """Words saved by `append`, by key."""
        with self._lock:
            return self._state | self._waiting.state

    def restamp(self, boot: str, offset_ms: int) -> None:
        """The clock has become believable: held frames of this boot get the instant mono_ms + offset_ms."""
        with self._lock:
            entries = self._waiting.entries
            doubted = {key: e for key, e in entries.items() if not e.believed and e.boot == boot}
            for key, entry in doubted.items():
                entries[key] = entry._replace(at_ms=entry.mono_ms + offset_ms, believed=True)
            if self.held or doubted:  # a commit that is under way may be writing some of them as held
                self._waiting.restamp = (boot, offset_ms)
                self._schedule(0.0)

    def hold(self, *, wait: bool) -> None:
        """Say whether frames that are not believed shall wait for the clock from now on, or go marked at once."""
        self._waiting.hold = wait

    def release(self, boot: str, before_mono_ms: int) -> None:
        """Hold back no longer what is of another boot, or older by this boot's monotonic clock: it will go marked."""
        if not self.held:
            return
        with self._table_lock:
            overdue = self._table.has_overdue(boot, before_mono_ms)
        if overdue:
            with self._lock:
                self._waiting.release = (boot, before_mono_ms)
                self._schedule(0.0)

    # -- committing --------------------------------------------------------------------------------------------------

    def seconds_to_commit(self) -> float | None:
        """Seconds until a commit is due, 0 when it is overdue, None while there is nothing to write."""
        due_s = self._due_s
        return None if due_s is None else max(0.0, due_s - time.monotonic())

    def commit(self) -> bool:
        """Write everything that waits, durably; whether that worked. Without anything waiting nothing is written."""
        with self._table_lock:
            with self._lock:
                batch = self._snapshot()
                counters = replace(self._counters)
            if not batch or self._closed:
                return not self._closed
            try:
                counters = self._table.write(batch, counters, self._limits)
                if batch.restamp or batch.release or any(not entry.believed for entry in batch.entries.values()):
                    self.held = self._table.count_held()
            except sqlite3.Error as error:
                self._stumble(error)
                return False
            with self._lock:
                self._settle(batch, counters)
        return True

    def _snapshot(self) -> Batch:
        waiting = self._waiting
        changed = {key: value for key, value in waiting.state.items() if self._state.get(key) != value}
        entries, gone, damaged = dict(waiting.entries), set(waiting.forgotten), set(waiting.damaged)
        return replace(waiting, entries=entries, state=changed, forgotten=gone, damaged=damaged)

    def _settle(self, batch: Batch, counters: Counters) -> None:
        """Strike from what waits all that was written, and offer the new frames to the relay."""
        counters.next_id = self._counters.next_id
        self._counters = counters
        waiting = self._waiting
        for key, entry in batch.entries.items():
            waiting.entries.pop(key, None)
            if (entry.believed or not batch.hold) and key > self._offered_id:
                self._fresh.append(_stored(key, entry))
        self._offered_id = max(self._offered_id, *batch.entries, 0)
        self._state.update(batch.state)
        waiting.state = {key: value for key, value in waiting.state.items() if self._state.get(key) != value}
        waiting.forgotten -= batch.forgotten
        waiting.damaged -= batch.damaged
        waiting.restamp = None if waiting.restamp == batch.restamp else waiting.restamp
        waiting.release = None if waiting.release == batch.release else waiting.release
        self._due_s = None
        if waiting:
            self._schedule(self._limits.commit_interval_s)
        if self.trouble:
            log.warning("the spool can be written again; %d frames have been dropped so far", self.dropped)
            self.trouble = ""

    def _schedule(self, delay_s: float) -> None:
        due_s = time.monotonic() + delay_s
        self._due_s = due_s if self._due_s is None else min(self._due_s, due_s)

    def _stumble(self, error: sqlite3.Error) -> None:
        """The disk failed: replace a damaged file, else keep to memory; later commits try again."""
        with self._lock:
            if file.is_damage(error):
                self._start_anew(error)
            elif not self.trouble:
                log.error("the spool cannot be written (%s): mend the disk; new frames stay in memory", error)
            self.trouble = str(error)
            self._due_s = time.monotonic() + self._limits.commit_interval_s

    def _start_anew(self, error: sqlite3.Error) -> None:
        log.error("the spool %s became damaged (%s)", self._path, error)
        state, next_id = self._state | self._waiting.state, self._counters.next_id
        self._table.close()
        self._table = Table(file.replace_file(self._path))
        offered_id = self._offered_id
        self._load()
        self._waiting.state = state
        self._offered_id = offered_id
        self._counters.next_id = max(next_id, self._counters.next_id)

    # -- giving out --------------------------------------------------------------------------------------------------

    def take_fresh(self) -> list[Stored]:
        """Frames committed since the last call, the newest 64, oldest first, but those that wait for the clock.

        While in trouble also those that could not be committed.
        """
        with self._lock:
            fresh = list(self._fresh)
            self._fresh.clear()
            if self.trouble:
                late = [(key, entry) for key, entry in self._waiting.entries.items() if key > self._offered_id]
                fresh += [_stored(key, entry) for key, entry in late if entry.believed]
                self._offered_id = max(self._offered_id, *self._waiting.entries, 0)
        return fresh[-_FRESH:]

    def read_oldest(self, after_id: int, max_readings: int, exclude: Collection[int]) -> list[Stored]:
        """Committed frames that may go, oldest first, of at most `max_readings` readings but at least one frame.

        Args:
            after_id: only frames with a greater id; 0 from the start.
            max_readings: bound of the sum of their readings.
            exclude: ids to leave out (under way).
        """
        return self._read(lambda table, out: table.read_oldest(after_id, max_readings, out), exclude)

    def read_newest(self, exclude: Collection[int]) -> list[Stored]:
        """The newest committed frame of each node among the last 2000 frames, newest first.

        Args:
            exclude: ids to leave out (under way); of such a frame's node nothing older is given instead.
        """
        return self._read(lambda table, out: table.read_newest(out), exclude)

    def _read(self, ask: Callable[[Table, Collection[int]], Found], exclude: Collection[int]) -> list[Stored]:
        with self._table_lock:
            with self._lock:
                out = self._waiting.forgotten.union(exclude)
            try:
                found = ask(self._table, out)
            except sqlite3.Error as error:
                self._stumble(error)
                return []
        with self._lock:
            if new := found.damaged - self._waiting.damaged:
                log.error("%d rows of the spool have changed on disk: set aside in its table `damaged`", len(new))
                self._waiting.damaged |= new
                self._schedule(0.0)
        return found.frames

    def forget(self, ids: Iterable[int]) -> None:
        """The server has answered for these: delete them with the next commit. Unknown ids do no harm."""
        with self._lock:
            waiting = self._waiting
            for entry_id in ids:
                if waiting.entries.pop(entry_id, None) is None:
                    waiting.forgotten.add(entry_id)
            if waiting.forgotten:
                self._schedule(0.0 if len(waiting.forgotten) >= _FORGET_AT_ONCE else _FORGET_ALONE_AFTER_S)

    # -- telling -----------------------------------------------------------------------------------------------------

    def counters(self) -> Counters:
        """A copy of the totals as last committed."""
        with self._lock:
            return replace(self._counters)

    def depth(self) -> int:
        """Frames that the server has not answered for, in memory and on disk."""
        with self._lock:
            return max(0, self._counters.depth + len(self._waiting.entries) - len(self._waiting.forgotten))

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        with self._table_lock:
            return self._table.used_bytes()

    def oldest_at_ms(self) -> int | None:
        """Instant of the frame that has waited longest on disk; None when there is none."""
        with self._table_lock:
            return self._table.oldest_at_ms()

    def close(self) -> None:
        """Commit what waits, then give the file back; harmless when called twice."""
        if self._closed:
            return
        self.commit()
        with self._table_lock:
            self._closed = True
            self._table.close()


def _stored(key: int, entry: Entry) -> Stored:
    return Stored(key, entry.at_ms, entry.believed, entry.body, entry.readings)
