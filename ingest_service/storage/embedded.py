"""History of observations in one SQLite file, for a server that stands alone.

One row a point, clustered by (series, instant): the newest of a thousand series and a month by the hour then take
milliseconds among 50 million rows. A commit is on the disk before `write` returns (WAL, FULL). A point that is written
again unchanged touches no page.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Final

from ingest_service.services.ports import Bucket, Observation, Points, SeriesKey, StoreUnavailableError
from ingest_service.storage.files import CorruptStoreError

_CHECKPOINT_PAGES: Final = 10_000
_VERSION: Final = 1

_SCHEMA: Final = """
create table if not exists series (
    id integer primary key, asset text not null, quantity text not null, unique (asset, quantity));
create table if not exists points (
    series_id integer not null, at_ms integer not null, value real, qc integer not null,
    primary key (series_id, at_ms)) without rowid;
"""

_UPSERT: Final = """
insert into points (series_id, at_ms, value, qc) values (?, ?, ?, ?)
on conflict (series_id, at_ms) do update set value = excluded.value, qc = excluded.qc
where value is not excluded.value or qc is not excluded.qc
"""

_LATEST: Final = """
select s.asset, s.quantity, p.at_ms, p.value, p.qc
from json_each(?) as wanted
cross join series as s on s.asset = wanted.value ->> 0 and s.quantity = wanted.value ->> 1
cross join points as p on p.series_id = s.id
    and p.at_ms = (select at_ms from points where series_id = s.id order by at_ms desc limit 1)
"""

_SERIES_ID: Final = "(select id from series where asset = :asset and quantity = :quantity)"

_READ: Final = f"""
select at_ms, value, qc from points
where series_id = {_SERIES_ID} and at_ms >= :from_ms and at_ms < :to_ms order by at_ms
"""  # noqa: S608 - only a constant is put in

_BEFORE: Final = f"""
select at_ms, value, qc from points
where series_id = {_SERIES_ID} and at_ms < :before_ms order by at_ms desc limit :count
"""  # noqa: S608 - only a constant is put in

_AGGREGATE: Final = f"""
with step as materialized (
    select (at_ms - :from_ms) / :step_ms as number, min(value) as low, max(value) as high, avg(value) as mean,
        max(at_ms) as last_ms, count(*) as samples
    from points
    where series_id = {_SERIES_ID} and at_ms >= :from_ms and at_ms < :to_ms and qc = 1 and value is not null
    group by number)
select number, low, high, mean, last.value, samples
from step join points as last on last.series_id = {_SERIES_ID} and last.at_ms = step.last_ms
"""  # noqa: S608 - only a constant is put in

_UNREADABLE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class EmbeddedObservations:
    """Port `Observations` on a SQLite file; any number of processes and threads may use one file at once.

    Args:
        path: the file; it and its folder are made at first use.
        busy_s: how long to wait for another writer before `StoreUnavailableError`.
        max_bytes: greatest size of the file, None for no bound but the disk; a write beyond it is refused as on a full
            disk. For tests and for servers that share a disk.
    """

    def __init__(self, path: Path, *, busy_s: float = 10.0, max_bytes: int | None = None) -> None:
        self._path = path
        self._busy_s = busy_s
        self._max_bytes = max_bytes
        self._ids: dict[SeriesKey, int] = {}
        self._here = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def write(self, batch: Sequence[Points]) -> None:
        """Store all of it in one durable commit.

        Raises:
            StoreUnavailableError: nothing of it was stored.
        """
        with self._using() as database:
            database.execute("begin immediate")
            ids = self._ids
            if missing := {points.key for points in batch if points.key not in ids}:
                ids = ids | {key: _series_id(database, key) for key in missing}
            # Neighbouring points meet the same pages, whoever sent them; runs of one series keep their order.
            ordered = sorted(batch, key=lambda points: ids[points.key])
            rows = (zip(repeat(ids[run.key]), run.at_ms, run.value, run.qc, strict=False) for run in ordered)
            database.executemany(_UPSERT, chain.from_iterable(rows))
            database.execute("commit")
            self._ids = ids  # only now: a series that was rolled back has no id

    def latest(self, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Observation]:
        """Newest observation of each series; a series with none is absent."""
        with self._using() as database:
            rows = database.execute(_LATEST, (json.dumps(list(keys)),)).fetchall()
        return {SeriesKey(asset, quantity): Observation(at_ms, value, qc) for asset, quantity, at_ms, value, qc in rows}

    def read(self, key: SeriesKey, from_ms: int, to_ms: int) -> Points:
        """Observations in [from_ms, to_ms), oldest first."""
        with self._using() as database:
            rows = database.execute(_READ, {**key._asdict(), "from_ms": from_ms, "to_ms": to_ms}).fetchall()
        return _points(key, rows)

    def before(self, key: SeriesKey, before_ms: int, count: int) -> Points:
        """The last `count` observations with an instant < before_ms, oldest first."""
        with self._using() as database:
            rows = database.execute(_BEFORE, {**key._asdict(), "before_ms": before_ms, "count": count}).fetchall()
        return _points(key, rows[::-1])

    def aggregate(self, key: SeriesKey, from_ms: int, to_ms: int, step_ms: int) -> list[Bucket]:
        """QC-1 observations of [from_ms, to_ms) by steps counted from from_ms; every step is present."""
        asked = {**key._asdict(), "from_ms": from_ms, "to_ms": to_ms, "step_ms": step_ms}
        with self._using() as database:
            rows = database.execute(_AGGREGATE, asked).fetchall()
        found = {number: Bucket(from_ms + number * step_ms, *rest) for number, *rest in rows}
        starts = range(from_ms, to_ms, step_ms)
        return [found.get(number) or Bucket(start, None, None, None, None, 0) for number, start in enumerate(starts)]

    def series(self) -> list[SeriesKey]:
        """All series that hold anything, sorted."""
        words = (
            "select asset, quantity from series where exists (select 1 from points where series_id = id) order by 1, 2"
        )
        with self._using() as database:
            return [SeriesKey(*row) for row in database.execute(words).fetchall()]

    def close(self) -> None:
        """Give back files; harmless when called twice. Not while another thread is inside."""
        with self._lock:
            while self._all:
                self._all.pop().close()
            self._here = threading.local()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; an open transaction is undone and SQLite's errors are translated on the way out."""
        try:
            database = self._connection()
            try:
                yield database
            finally:
                if database.in_transaction:
                    database.execute("rollback")
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _UNREADABLE:
                raise CorruptStoreError(self._path, error) from error
            if isinstance(error, sqlite3.OperationalError):
                raise StoreUnavailableError(f"{self._path}: {error}") from error
            raise

    def _connection(self) -> sqlite3.Connection:
        kept: sqlite3.Connection | None = getattr(self._here, "connection", None)
        if kept is not None:
            return kept
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"{self._path.parent}: {error.strerror}") from error
        opened = sqlite3.connect(self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(opened)
        except BaseException:
            opened.close()
            raise
        with self._lock:
            self._all.append(opened)
        self._here.connection = opened
        return opened

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute("pragma cache_size = -16384")
        if self._max_bytes is not None:
            page_bytes = database.execute("pragma page_size").fetchone()[0]
            database.execute(f"pragma max_page_count = {self._max_bytes // page_bytes}")
        version = database.execute("pragma user_version").fetchone()[0]
        if version > _VERSION:
            words = f"{self._path} was written by a newer Mó Nước (schema {version}); install that version again"
            raise CorruptStoreError(self._path, words)
        if version < _VERSION:
            database.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION}; commit")


def _series_id(database: sqlite3.Connection, key: SeriesKey) -> int:
    database.execute("insert or ignore into series (asset, quantity) values (?, ?)", key)
    row = database.execute("select id from series where asset = ? and quantity = ?", key).fetchone()
    return int(row[0])


def _points(key: SeriesKey, rows: list[tuple[int, float | None, int]]) -> Points:
    return Points(key, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
