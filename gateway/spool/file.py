"""The spool's SQLite file: opened, checked, and set aside when it is damaged."""

import contextlib
import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.spool.entry import Counters

log = logging.getLogger(__name__)

PAGE_BYTES: Final = 1024
"""Small pages: a commit writes whole pages, and a frame is small."""
HELD, BELIEVED, DOUBTED = 0, 1, 2
"""Stamp of a row: waits for a believable clock, bears a believed instant, waited in vain and goes marked."""

_FULL_CHECK_BELOW_BYTES: Final = 64 * 1024 * 1024
_SET_ASIDE_KEPT: Final = 2
SUM: Final = (
    "row_sum(CAST(id || ' ' || {at_ms} || ' ' || mono_ms || ' ' || {stamp} || ' ' || boot || ' ' || readings || ' '"
    " || node AS BLOB), CAST(body AS BLOB))"
)
"""SQL for the checksum of a row with this instant and stamp; NULL when the row has become nonsense."""
GOOD: Final = (
    f"(crc = {SUM.format(at_ms='at_ms', stamp='stamp')} OR crc IS NULL AND id <= "  # noqa: S608 - constants only
    "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'unsummed_to'))"
)
"""SQL for whether a row is as it was written; rows of before version 2 have no checksum."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry(
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL, stamp INTEGER NOT NULL,
  boot INTEGER NOT NULL, node TEXT NOT NULL, readings INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boot(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
PRAGMA user_version = 1;
"""
_SCHEMA_2: Final = """
BEGIN IMMEDIATE;
ALTER TABLE entry ADD COLUMN crc INTEGER;
CREATE TABLE damaged(id INTEGER PRIMARY KEY, at_ms, mono_ms, stamp, boot, node, readings, body, crc);
INSERT OR REPLACE INTO meta SELECT 'unsummed_to', coalesce(max(id), 0) FROM entry;
PRAGMA user_version = 2;
COMMIT;
"""
_COLUMNS_1: Final = 8
_PROBES: Final = (
    "SELECT id, at_ms, mono_ms, stamp, boot, node, readings, body, crc FROM entry LIMIT 0",
    "SELECT id, at_ms, mono_ms, stamp, boot, node, readings, body, crc FROM damaged LIMIT 0",
    "SELECT key, value FROM meta LIMIT 0",
    "SELECT number, id FROM boot LIMIT 0",
)
"""Fail when not even the names of tables and columns are what they were."""

_COPIES: Final = (
    ("SELECT * FROM meta ORDER BY 1", "INSERT OR REPLACE INTO meta VALUES(?, ?)"),
    ("SELECT * FROM boot ORDER BY 1", "INSERT OR IGNORE INTO boot VALUES(?, ?)"),
    (
        "SELECT * FROM entry ORDER BY 1",
        "INSERT OR IGNORE INTO entry VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
)


def open_file(path: Path) -> sqlite3.Connection:
    """Open the spool's file; a damaged one is set aside, what can be read of it is taken over.

    Raises:
        sqlite3.Error: the file cannot be opened for another reason (locked by another gateway, no permission).
    """
    try:
        db = _open(path)
        damage = _find_damage(db, path)
        if not damage:
            return db
        db.close()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        damage = str(error)
    log.error("the spool %s is damaged: %s", path, damage)
    return replace_file(path)


def replace_file(path: Path) -> sqlite3.Connection:
    """Set a damaged file aside and start a new one with what could be read of the old."""
    old = _set_aside(path)
    db = _open(path)
    rows, words = _rescue(old, db)
    log.error("damaged spool kept as %s; carried over %d frames and %d words of state", old.name, rows, words)
    return db


def sum_row(words: bytes | None, body: bytes | None) -> int | None:
    """Checksum of a row, by its other columns as one text and its body; None if either is missing."""
    return None if words is None or body is None else zlib.crc32(body, zlib.crc32(words))


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file's content is broken."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def read_counters(db: sqlite3.Connection) -> Counters:
    """Counters as last committed; sqlite3.DatabaseError when they have become nonsense."""
    row = db.execute("SELECT value FROM meta WHERE key = 'counters'").fetchone()
    if row is None:
        return Counters()
    words, _, crc = row[0].partition(" ")
    try:
        if crc and int(crc) != zlib.crc32(words.encode()):
            raise sqlite3.DatabaseError("the counters have changed on disk")
        return Counters(**json.loads(words))
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"the counters cannot be read: {error}") from None


def write_counters(db: sqlite3.Connection, counters: Counters) -> None:
    """Save counters within the running transaction."""
    words = json.dumps(asdict(counters), separators=(",", ":"))
    db.execute("INSERT OR REPLACE INTO meta VALUES('counters', ?)", (f"{words} {zlib.crc32(words.encode())}",))


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False, cached_statements=16)
    try:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -256")
        db.text_factory = _read_text
        db.create_function("row_sum", 2, sum_row, deterministic=True)
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(_SCHEMA)
        if db.execute("PRAGMA user_version").fetchone()[0] == 1:
            db.executescript(_SCHEMA_2)
        _probe(db)
        read_counters(db)
    except UnicodeDecodeError:  # sqlite3 cannot even say what is wrong
        db.close()
        raise sqlite3.DatabaseError("names of its tables cannot be read") from None
    except BaseException:
        db.close()
        raise
    return db


def _probe(db: sqlite3.Connection) -> None:
    try:
        for probe in _PROBES:
            db.execute(probe)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise sqlite3.DatabaseError(f"its tables are not ours any more: {error}") from None


def _read_text(raw: bytes) -> str:
    """Text even where the disk has damaged it; the row's checksum tells."""
    return raw.decode(errors="replace")


def _find_damage(db: sqlite3.Connection, path: Path) -> str:
    """What is broken, "" for nothing. A big file is not read as a whole: that would take a Pi minutes."""
    if path.stat().st_size >= _FULL_CHECK_BELOW_BYTES:
        return ""
    verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if verdict == "ok" else verdict


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    old = path.with_name(f"{path.name}.damaged-{stamp}")
    path.rename(old)
    with contextlib.suppress(FileNotFoundError):
        path.with_name(path.name + "-wal").rename(old.with_name(old.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    kept = sorted(
        file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith(("-wal", "-shm"))
    )
    for file in kept[:-_SET_ASIDE_KEPT]:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    return old


def _rescue(old: Path, db: sqlite3.Connection) -> tuple[int, int]:
    """Copy what is readable; how many frames and words of state that was."""
    source = sqlite3.connect(old, isolation_level=None)
    source.text_factory = _read_text
    db.execute("BEGIN IMMEDIATE")
    with contextlib.closing(source):
        for read_all, insert in _COPIES:
            for direction in ("ASC", "DESC"):  # from both ends, each up to the damage
                for row in _read_while_good(source, f"{read_all} {direction}", insert.count("?")):
                    with contextlib.suppress(sqlite3.IntegrityError):  # a column that damage has made NULL
                        db.execute(insert, row)
        if _lacks_sums(source):
            db.execute("INSERT OR REPLACE INTO meta SELECT 'unsummed_to', coalesce(max(id), 0) FROM entry")
    try:
        counters = read_counters(db)
    except sqlite3.DatabaseError:
        counters = Counters()
    depth, top = db.execute("SELECT count(*), coalesce(max(id), 0) FROM entry").fetchone()
    gone = counters.forgotten_frames + counters.thinned + counters.damaged
    counters.committed_frames = max(counters.committed_frames, gone + depth)
    counters.thinned += counters.depth - depth
    counters.next_id = max(counters.next_id, top + 1)
    write_counters(db, counters)
    db.execute("COMMIT")
    return depth, db.execute("SELECT count(*) FROM meta").fetchone()[0]


def _lacks_sums(source: sqlite3.Connection) -> bool:
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        return len(source.execute("SELECT * FROM entry LIMIT 0").description) == _COLUMNS_1
    return False


def _read_while_good(source: sqlite3.Connection, query: str, width: int) -> Iterator[tuple[object, ...]]:
    """Rows made `width` columns wide, up to the damage; earlier versions had fewer columns."""
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        for row in source.execute(query):
            yield (*row, *[None] * (width - len(row)))[:width]
