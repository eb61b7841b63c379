"""What a gateway has ever committed, copied inside its spool by a trigger, so that forgetting does not erase it."""

import shutil
import sqlite3
from pathlib import Path

from gateway.spool import Spool
from gateway.wire.record import decode_record

Point = tuple[float | None, int]
"""Value and quality code."""

AUDIT = """
CREATE TABLE audit(at_ms, stamp, body);
CREATE TRIGGER audited AFTER INSERT ON entry BEGIN INSERT INTO audit VALUES(new.at_ms, new.stamp, new.body); END;
"""


def prepare_audit(data_dir: Path) -> None:
    """Make the spool with its audit, before the gateway's first start."""
    data_dir.mkdir()
    Spool.open(data_dir / "spool.db").close()
    db = sqlite3.connect(data_dir / "spool.db")
    db.executescript(AUDIT)
    db.close()


def read_audit(data_dir: Path) -> dict[tuple[str, str, int], Point]:
    """Every reading ever committed by (node, channel, instant), from a copy, so that the spool is not touched."""
    copy = data_dir.with_name(data_dir.name + "-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("*.sock"))
    db = sqlite3.connect(copy / "spool.db")
    rows = db.execute("SELECT at_ms, stamp, body FROM audit").fetchall()
    db.close()
    found: dict[tuple[str, str, int], Point] = {}
    for at_ms, stamp, body in rows:
        assert stamp == 1
        node, readings = decode_record(body)
        for channel, value, q in readings:
            key = (node, channel, at_ms)
            assert key not in found
            found[key] = (value, q or 2)
    return found
