"""How fast the embedded history answers among 50 million observations."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ingest_service.services.ports import Points, SeriesKey
from ingest_service.storage.embedded import EmbeddedObservations

SERIES, MINUTES = 1000, 50_000
START_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SAMPLES = 15


def run() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "history.sqlite3"
        build_s = build(path)
        store = EmbeddedObservations(path)
        end_ms = START_MS + MINUTES * MINUTE_MS
        one = key(500)
        figures: dict[str, object] = {
            "observations": SERIES * MINUTES,
            "build_s": round(build_s, 1),
            "bytes_per_observation": round(path.stat().st_size / (SERIES * MINUTES), 1),
            "latest_of_1000_series_ms": measure(lambda: store.latest([key(n) for n in range(SERIES)])),
            "latest_of_1000_series_ms_target": 20,
            "month_by_the_hour_ms": measure(lambda: store.aggregate(one, end_ms - 30 * DAY_MS, end_ms, HOUR_MS)),
            "month_by_the_hour_ms_target": 50,
            "day_ms": measure(lambda: store.read(one, end_ms - DAY_MS, end_ms)),
            "write_1000_series_ms": measure(lambda: store.write(next_points(end_ms))),
        }
        store.close()
    return figures


def key(number: int) -> SeriesKey:
    return SeriesKey(f"asset-{number:04d}", "level_m")


def next_points(at_ms: int) -> list[Points]:
    """One observation of each series, at an instant that was not yet written."""
    next_points.calls += 1  # type: ignore[attr-defined]
    at_ms += next_points.calls * MINUTE_MS  # type: ignore[attr-defined]
    return [Points(key(number), [at_ms], [1.5], [1]) for number in range(SERIES)]


next_points.calls = 0  # type: ignore[attr-defined]


def build(path: Path) -> float:
    """Fill the store's own tables series by series; durability is not asked of this."""
    began_s = time.perf_counter()
    store = EmbeddedObservations(path)
    store.write([Points(key(number), [START_MS - 1], [1.0], [1]) for number in range(SERIES)])
    store.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma synchronous = off")
    database.execute("pragma journal_mode = off")
    words = """insert into points with recursive n(i) as (select 0 union all select i + 1 from n where i < :last)
        select :series, :start + i * 60000, round((i * 7919 % 1000) / 1000.0 + :series / 1000.0, 3), 1 from n"""
    database.execute("begin")
    for series in range(1, SERIES + 1):
        database.execute(words, {"last": MINUTES - 1, "series": series, "start": START_MS})
    database.execute("commit")
    database.close()
    return time.perf_counter() - began_s


def measure(ask: Callable[[], object]) -> float:
    """Median milliseconds, after one call that warms the cache."""
    ask()
    took_ms = []
    for _ in range(SAMPLES):
        began_s = time.perf_counter()
        ask()
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return round(statistics.median(took_ms), 2)
