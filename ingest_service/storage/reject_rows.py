"""Rejects as rows of the record store, the oldest forgotten where they would take more room than they may."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from ingest_service.services.ports import Reject
from ingest_service.storage import tables

_ROW_BYTES = 128  # what a row costs besides its texts and payload
_AT_ONCE = 500


def insert_rejects(database: Connection, rejects: Sequence[Reject], max_bytes: int) -> None:
    """Add `rejects`; forget the oldest of all until those that are left take at most `max_bytes`.

    What is kept and what was forgotten is counted by reason in the same transaction, so that no batch has to look
    through the rows.
    """
    rows = [_row(reject) for reject in rejects]
    database.execute(insert(tables.rejects), rows)
    kept, kept_bytes = Counter[str](), Counter[str]()
    for row in rows:
        kept[row["reason"]] += 1
        kept_bytes[row["reason"]] += row["bytes"]
    for reason in sorted(kept):
        _count(database, reason, kept=kept[reason], kept_bytes=kept_bytes[reason])
    excess = int(database.scalar(select(func.sum(tables.reject_counts.c.kept_bytes))) or 0) - max_bytes
    while excess > 0:
        excess -= _forget_oldest(database, excess)


def delete_rejects(database: Connection, ids: Sequence[int]) -> None:
    """Forget rejects that have since been taken in; unknown ids are ignored."""
    for start in range(0, len(ids), _AT_ONCE):
        _delete(database, tables.rejects.c.id.in_(ids[start : start + _AT_ONCE]), dropped=False)


def _forget_oldest(database: Connection, excess: int) -> int:
    """Forget some of the oldest, but not more than make up for `excess`; how many bytes that freed is returned."""
    ids, table, freed = [], tables.rejects, 0
    for row in database.execute(select(table.c.id, table.c.bytes).order_by(table.c.id).limit(_AT_ONCE)):
        if freed >= excess:
            break
        ids.append(row.id)
        freed += row.bytes
    if not ids:
        raise AssertionError("the counts of rejects say that some are kept, and there are none")
    return _delete(database, table.c.id.in_(ids), dropped=True)


def _delete(database: Connection, which: Any, *, dropped: bool) -> int:  # noqa: ANN401 - SQLAlchemy's own words
    gone = database.execute(
        delete(tables.rejects).where(which).returning(tables.rejects.c.reason, tables.rejects.c.bytes)
    ).all()
    kept, freed = Counter[str](), Counter[str]()
    for row in gone:
        kept[row.reason] += 1
        freed[row.reason] += row.bytes
    for reason in sorted(kept):
        count = kept[reason]
        _count(database, reason, kept=-count, kept_bytes=-freed[reason], dropped=count if dropped else 0)
    return freed.total()


def _count(database: Connection, reason: str, *, kept: int, kept_bytes: int, dropped: int = 0) -> None:
    table = tables.reject_counts
    changed = update(table).where(table.c.reason == reason)
    changed = changed.values(
        kept=table.c.kept + kept, kept_bytes=table.c.kept_bytes + kept_bytes, dropped=table.c.dropped + dropped
    )
    if database.execute(changed).rowcount == 0:
        database.execute(insert(table).values(reason=reason, kept=kept, kept_bytes=kept_bytes, dropped=dropped))


def _row(reject: Reject) -> dict[str, Any]:
    topic, reason, detail = _storable(reject.topic), _storable(reject.reason), _storable(reject.detail)
    texts = len(topic) + len(reason) + len(detail)
    return {
        "received_ms": reject.received_ms,
        "topic": topic,
        "payload": reject.payload,
        "reason": reason,
        "detail": detail,
        "bytes": len(reject.payload) + texts + _ROW_BYTES,
    }


def _storable(words: str) -> str:
    """A text column takes neither lone surrogates nor NUL; what came in their place stays visible."""
    return words.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
