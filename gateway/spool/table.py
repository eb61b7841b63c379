"""The spool's rows: one transaction per commit, plain reads. Not for several threads at once."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from gateway.spool import file
from gateway.spool.entry import Counters, Entry, Limits, Stored
from gateway.spool.thin import thin, used_bytes

_STATE: Final = "state:"
_NEWEST_AMONG: Final = 2000
_OF_BOOT: Final = "(SELECT number FROM boot WHERE id = :boot)"
_OVERDUE: Final = f"stamp = {file.HELD} AND (mono_ms < :before OR boot IS NOT {_OF_BOOT})"
_DAMAGED_KEPT: Final = 100


def _changed(at_ms: str, stamp: int, where: str) -> str:
    """SQL that gives rows an instant and a stamp; a row that was damaged before keeps a checksum that tells so."""
    before, after = file.SUM.format(at_ms="at_ms", stamp="stamp"), file.SUM.format(at_ms=at_ms, stamp=stamp)
    crc = f"CASE WHEN crc = {before} THEN {after} ELSE crc END"
    return f"UPDATE entry SET at_ms = {at_ms}, stamp = {stamp}, crc = {crc} WHERE {where}"  # noqa: S608 - constants only


_RESTAMP: Final = _changed("(mono_ms + :offset)", file.BELIEVED, f"stamp = {file.HELD} AND boot = {_OF_BOOT}")
_RELEASE: Final = _changed("at_ms", file.DOUBTED, _OVERDUE)
_COLUMNS: Final = (  # with casts, for a changed row may hold anything anywhere
    "id, CAST(at_ms AS INTEGER), CAST(stamp AS INTEGER), CAST(body AS BLOB), CAST(readings AS INTEGER), node"
)
_SENDABLE: Final = f"SELECT {_COLUMNS}, {file.GOOD} FROM entry WHERE id > ? AND stamp > 0 ORDER BY id"  # noqa: S608 - constants only


@dataclass(slots=True)
class Batch:
    """What one commit writes.

    Attributes:
        entries: new frames by id.
        state: words to save by key.
        forgotten: ids to delete.
        damaged: ids to set aside.
        restamp: (boot, offset_ms) for its held frames, or None.
        release: (boot, before_mono_ms) of held frames that wait no longer, or None.
        hold: whether unbelieved frames shall wait for the clock.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    restamp: tuple[str, int] | None = None
    release: tuple[str, int] | None = None
    hold: bool = True

    def __bool__(self) -> bool:
        return bool(self.entries or self.state or self.forgotten or self.damaged or self.restamp or self.release)


class Found(NamedTuple):
    """What a read has come upon: frames that may go, and ids of rows that are not as they were written."""

    frames: list[Stored]
    damaged: set[int]


class Table:
    """The open file. Every method may raise sqlite3.Error; a failed write has changed nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def write(self, batch: Batch, counters: Counters, limits: Limits) -> Counters:
        """Write all of it durably in one transaction; the totals after it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            counters = self._write(batch, replace(counters), limits)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return counters

    def _write(self, batch: Batch, counters: Counters, limits: Limits) -> Counters:
        counters.damaged += self._set_aside(batch.damaged)  # first: a changed id may stand in a new frame's way
        self._insert(batch.entries, file.HELD if batch.hold else file.DOUBTED)
        counters.committed_frames += len(batch.entries)
        counters.committed_readings += sum(entry.readings for entry in batch.entries.values())
        for readings in self._delete(batch.forgotten):
            counters.forgotten_frames += 1
            counters.forgotten_readings += readings
        if batch.restamp:
            self._db.execute(_RESTAMP, {"boot": batch.restamp[0], "offset": batch.restamp[1]})
        if batch.release:
            self._db.execute(_RELEASE, {"boot": batch.release[0], "before": batch.release[1]})
        counters.thinned += thin(self._db, counters.depth, limits.max_bytes, limits.keep_per_s)
        words = [(_STATE + key, value) for key, value in batch.state.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", words)
        file.write_counters(self._db, counters)
        return counters

    def _insert(self, entries: Mapping[int, Entry], doubtful: int) -> None:
        numbers = {boot: self._number_boot(boot) for boot in {entry.boot for entry in entries.values()}}
        self._db.executemany(
            "INSERT INTO entry VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (key, e.at_ms, e.mono_ms, stamp, boot, e.node, e.readings, e.body, file.sum_row(words, e.body))
                for key, e in entries.items()
                for stamp, boot in [(file.BELIEVED if e.believed else doubtful, numbers[e.boot])]
                for words in [f"{key} {e.at_ms} {e.mono_ms} {stamp} {boot} {e.readings} {e.node}".encode()]
            ],
        )

    def _number_boot(self, boot: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO boot(id) VALUES(?)", (boot,))
        row = self._db.execute("SELECT number FROM boot WHERE id = ?", (boot,)).fetchone()
        if row is None or not isinstance(row[0], int):
            raise sqlite3.DatabaseError("the index of boots does not fit its table")  # so the file is damaged
        return row[0]

    def _delete(self, ids: Iterable[int]) -> Iterable[int]:
        for entry_id in sorted(ids):
            delete = "DELETE FROM entry WHERE id = ? RETURNING CAST(readings AS INTEGER)"
            row = self._db.execute(delete, (entry_id,)).fetchall()
            if row:
                yield int(row[0][0] or 0)

    def _set_aside(self, ids: Iterable[int]) -> int:
        count = 0
        for entry_id in ids:
            self._db.execute("INSERT OR REPLACE INTO damaged SELECT * FROM entry WHERE id = ?", (entry_id,))
            count += self._db.execute("DELETE FROM entry WHERE id = ?", (entry_id,)).rowcount
        if count:
            last = "SELECT id FROM damaged ORDER BY id DESC LIMIT ?"
            self._db.execute(f"DELETE FROM damaged WHERE id NOT IN ({last})", (_DAMAGED_KEPT,))  # noqa: S608 - constant
        return count

    def read_oldest(self, after_id: int, max_readings: int, exclude: Collection[int]) -> Found:
        """Frames that may go, oldest first; see `Spool.read_oldest`."""
        found = Found([], set())
        room = max_readings
        for entry_id, at_ms, stamp, body, readings, _, good in self._db.execute(_SENDABLE, (after_id,)):
            if entry_id in exclude:
                continue
            if not good:
                found.damaged.add(entry_id)
                continue
            room -= readings
            if found.frames and room < 0:
                break
            found.frames.append(Stored(entry_id, at_ms, stamp == file.BELIEVED, body, readings))
        return found

    def read_newest(self, exclude: Collection[int]) -> Found:
        """The newest frame of each node, newest first; see `Spool.read_newest`."""
        newest: dict[str, Stored] = {}
        damaged: set[int] = set()
        rows = self._db.execute(f"{_SENDABLE} DESC LIMIT ?", (0, _NEWEST_AMONG))
        for entry_id, at_ms, stamp, body, readings, node, good in rows:
            if good:
                newest.setdefault(node, Stored(entry_id, at_ms, stamp == file.BELIEVED, body, readings))
            else:
                damaged.add(entry_id)
        return Found([stored for stored in newest.values() if stored.id not in exclude], damaged)

    def read_state(self) -> dict[str, str]:
        """Saved words by key."""
        rows = self._db.execute("SELECT key, value FROM meta WHERE key >= ? AND key < ?", (_STATE, "state;"))
        return {key.removeprefix(_STATE): value for key, value in rows}

    def last_id(self) -> int:
        """The greatest id, 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()[0])

    def count_held(self) -> int:
        """Frames that wait for a believable clock."""
        return int(self._db.execute("SELECT count(*) FROM entry WHERE stamp = ?", (file.HELD,)).fetchone()[0])

    def has_overdue(self, boot: str, before_mono_ms: int) -> bool:
        """Whether `release` would change anything."""
        query = f"SELECT 1 FROM entry WHERE {_OVERDUE} LIMIT 1"  # noqa: S608 - constants only
        return self._db.execute(query, {"boot": boot, "before": before_mono_ms}).fetchone() is not None

    def read_counters(self) -> Counters:
        """Totals as last committed."""
        return file.read_counters(self._db)

    def oldest_at_ms(self) -> int | None:
        """Instant of the row with the smallest id."""
        row = self._db.execute("SELECT at_ms FROM entry ORDER BY id LIMIT 1").fetchone()
        return row[0] if row else None

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        return used_bytes(self._db)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
