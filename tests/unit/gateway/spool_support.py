"""Frames for the spool's tests."""

import sqlite3
from pathlib import Path

from gateway.spool import Entry, Limits, Spool

BOOT = "boot-1"
START_MS = 1_793_491_200_000
PROMPT = Limits(commit_interval_s=0.01)


def make_entry(
    number: int, node: str = "T01", *, believed: bool = True, boot: str = BOOT, step_ms: int = 60_000
) -> Entry:
    body = f"{node} distance_m={number}".encode()
    return Entry(START_MS + number * step_ms, number * step_ms, believed, boot, body, 1, node)


def fill(spool: Spool, count: int, first: int = 0, **facts: object) -> None:
    for number in range(first, first + count):
        spool.append(make_entry(number, **facts), {"T01": str(number)})  # type: ignore[arg-type]


def read_all(spool: Spool) -> list[tuple[int, bytes]]:
    return [(stored.at_ms, stored.body) for stored in spool.read_oldest(0, 10**9, ())]


def execute(path: Path, script: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(script)
    db.close()
