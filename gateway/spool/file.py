"""The spool's SQLite file: opened, checked, and set aside when it is damaged."""

import contextlib
import json
import logging
import sqlite3
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
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry(
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL, stamp INTEGER NOT NULL,
  boot INTEGER NOT NULL, node TEXT NOT NULL, readings INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boot(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
PRAGMA user_version = 1;
"""
_COPIES: Final = (
    ("SELECT key, value FROM meta ORDER BY key", "INSERT OR IGNORE INTO meta VALUES(?, ?)"),
    ("SELECT number, id FROM boot ORDER BY number", "INSERT OR IGNORE INTO boot VALUES(?, ?)"),
    (
        "SELECT id, at_ms, mono_ms, stamp, boot, node, readings, body FROM entry ORDER BY id",
        "INSERT OR IGNORE INTO entry VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
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


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file's content is broken."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def read_counters(db: sqlite3.Connection) -> Counters:
    """Counters as last committed."""
    row = db.execute("SELECT value FROM meta WHERE key = 'counters'").fetchone()
    return Counters(**json.loads(row[0])) if row else Counters()


def write_counters(db: sqlite3.Connection, counters: Counters) -> None:
    """Save counters within the running transaction."""
    words = json.dumps(asdict(counters), separators=(",", ":"))
    db.execute("INSERT OR REPLACE INTO meta VALUES('counters', ?)", (words,))


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False, cached_statements=16)
    try:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -256")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(_SCHEMA)
        read_counters(db)
    except BaseException:
        db.close()
        raise
    return db


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
    db.execute("BEGIN IMMEDIATE")
    with contextlib.closing(source):
        for read_all, insert in _COPIES:
            for direction in ("ASC", "DESC"):  # from both ends, each up to the damage
                db.executemany(insert, _read_while_good(source, f"{read_all} {direction}"))
    counters = read_counters(db)
    depth, top = db.execute("SELECT count(*), coalesce(max(id), 0) FROM entry").fetchone()
    counters.committed_frames = max(counters.committed_frames, counters.forgotten_frames + counters.thinned + depth)
    counters.thinned = counters.committed_frames - counters.forgotten_frames - depth
    counters.next_id = max(counters.next_id, top + 1)
    write_counters(db, counters)
    db.execute("COMMIT")
    return depth, db.execute("SELECT count(*) FROM meta").fetchone()[0]


def _read_while_good(source: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    with contextlib.suppress(sqlite3.DatabaseError):
        yield from source.execute(query)
