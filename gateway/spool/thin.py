"""Thinning: how a full spool makes room without refusing what is new.

The older half is thinned first, a slice at a time: of each node one frame stays per sixth of the span asked for (ten
minutes of an hour); when all of the half is so, one per span, then one per six spans. When even that is not enough the
oldest go.
"""

import json
import sqlite3
from typing import Final

_STEPS: Final = (1 / 6, 1, 6)
_SLICE: Final = 2000
_SLICES_A_COMMIT: Final = 8
_SIZES: Final = ("page_count", "freelist_count", "page_size")


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in _SIZES)
    return (pages - free) * size


def thin(db: sqlite3.Connection, max_bytes: int, keep_per_s: float) -> int:
    """Within the running transaction, delete by the rule until below the cap; how many frames went.

    A bounded number of slices is done in one go, so that a commit stays short; the next commit goes on.
    """
    gone = 0
    for _ in range(_SLICES_A_COMMIT):
        if used_bytes(db) <= max_bytes:
            break
        gone += _thin_slice(db, keep_per_s)
    return gone


def _thin_slice(db: sqlite3.Connection, keep_per_s: float) -> int:
    low, high = db.execute("SELECT min(id), max(id) FROM entry").fetchone()
    if low is None:
        return 0
    middle = (low + high) // 2
    row = db.execute("SELECT value FROM meta WHERE key = 'thinned_to'").fetchone()
    marks: list[int] = json.loads(row[0]) if row else [0] * len(_STEPS)
    for level, step in enumerate(_STEPS):
        if marks[level] < middle:
            end = _slice_end(db, marks[level], middle)
            gone = _keep_one_in(db, marks[level], end, round(step * keep_per_s * 1000))
            marks[level] = end
            db.execute("INSERT OR REPLACE INTO meta VALUES('thinned_to', ?)", (json.dumps(marks),))
            return gone
    end = _slice_end(db, 0, high)
    return db.execute("DELETE FROM entry WHERE id <= ?", (end,)).rowcount


def _slice_end(db: sqlite3.Connection, after_id: int, last_id: int) -> int:
    query = "SELECT id FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?"
    row = db.execute(query, (after_id, last_id, _SLICE - 1)).fetchone()
    return int(row[0]) if row else last_id


def _keep_one_in(db: sqlite3.Connection, after_id: int, end_id: int, step_ms: int) -> int:
    return db.execute(
        "DELETE FROM entry WHERE id > :after AND id <= :end AND id NOT IN ("
        "SELECT min(id) FROM entry WHERE id > :after AND id <= :end GROUP BY node, at_ms / :step)",
        {"after": after_id, "end": end_id, "step": step_ms},
    ).rowcount
