"""Thinning: how a full spool makes room without refusing what is new.

The newer half stays as it is. The older half is thinned a slice at a time, the oldest first: of each node one frame
stays per sixth of the span asked for (ten minutes of an hour); when all of the half is so, one per span, then one per
six spans. When even that is not enough the oldest go.
"""

import json
import sqlite3
from typing import Final

_STEPS: Final = (1 / 6, 1, 6)
_SLICE: Final = 2000
_LEAST_SLICE: Final = 50
_SLICES_A_COMMIT: Final = 8
_SIZES: Final = ("page_count", "freelist_count", "page_size")


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in _SIZES)
    return (pages - free) * size


def thin(db: sqlite3.Connection, depth: int, max_bytes: int, keep_per_s: float) -> int:
    """Within the running transaction, delete by the rule until below the cap; how many frames went.

    A bounded number of slices is done in one go, so that a commit stays short; the next commit goes on.

    Args:
        db: the spool's file.
        depth: frames in it.
        max_bytes: the cap.
        keep_per_s: the span asked for, in seconds.
    """
    gone = 0
    for _ in range(_SLICES_A_COMMIT):
        if used_bytes(db) <= max_bytes:
            break
        gone += _thin_slice(db, depth - gone, keep_per_s)
    return gone


def _thin_slice(db: sqlite3.Connection, depth: int, keep_per_s: float) -> int:
    high = db.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()[0]
    middle = high - depth // 2  # the newer half has hardly any holes
    size = max(_LEAST_SLICE, min(_SLICE, depth // 8))
    row = db.execute("SELECT value FROM meta WHERE key = 'thinned_to'").fetchone()
    marks: list[int] = json.loads(row[0]) if row else [0] * len(_STEPS)
    for level, step in enumerate(_STEPS):
        end = _slice_end(db, marks[level], middle, size)
        if end is not None:
            gone = _keep_one_in(db, marks[level], end, round(step * keep_per_s * 1000))
            marks[level] = end
            db.execute("INSERT OR REPLACE INTO meta VALUES('thinned_to', ?)", (json.dumps(marks),))
            return gone
    end = _slice_end(db, 0, high, size)
    return 0 if end is None else db.execute("DELETE FROM entry WHERE id <= ?", (end,)).rowcount


def _slice_end(db: sqlite3.Connection, after_id: int, last_id: int, size: int) -> int | None:
    """Id of the last of the next `size` frames; None if there are not so many up to `last_id`."""
    query = "SELECT id FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?"
    row = db.execute(query, (after_id, last_id, size - 1)).fetchone()
    return int(row[0]) if row else None


def _keep_one_in(db: sqlite3.Connection, after_id: int, end_id: int, step_ms: int) -> int:
    return db.execute(
        "DELETE FROM entry WHERE id > :after AND id <= :end AND id NOT IN ("
        "SELECT min(id) FROM entry WHERE id > :after AND id <= :end GROUP BY node, at_ms / :step)",
        {"after": after_id, "end": end_id, "step": step_ms},
    ).rowcount
