"""Server time and size of a tank's page over a year of minute data."""

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from ingest_service.web.app import create_app
from tests.support.serving import served
from tests.support.water_village import DAY_MS, MINUTE_MS, NOW_MS, Village, falls_to, make_register, open_village

ROUNDS = 300


def run() -> dict[str, object]:
    """Milliseconds and bytes of whole answers over a loopback socket, all reads and compression in them."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(_fill(Path(folder))) as village:
        app = create_app(village.observations, village.records, village.now)
        with served(app) as address, httpx.Client(base_url=address) as client:
            pages = {"tank": "/assets/be-thap", "home": "/", "places_api": "/api/v1/latest?asset=be-thap"}
            figures: dict[str, object] = {"rows": 3 * 365 * 24 * 60, "target_tank_ms": 10, "target_tank_bytes": 14336}
            for name, path in pages.items():
                figures[name] = _measure(client, path)
            figures["label"] = _measure(client, "/assets/be-thap/label")
        return figures


def _fill(folder: Path) -> Village:
    village = open_village(folder)
    village.records.replace_register(make_register())
    for day in range(365, 0, -5):
        begin = NOW_MS - day * DAY_MS
        village.fill("be-thap", falls_to(28.0, 0.15), begin, min(begin + 5 * DAY_MS, NOW_MS), MINUTE_MS)
    village.raise_alert("be-thap", "tank_low", "warning", DAY_MS, "below", value=30.0, unit="%", threshold=40.0)
    return village


def _measure(client: httpx.Client, path: str) -> dict[str, float]:
    bare = {"accept-encoding": "identity"}
    first = client.get(path, headers=bare)
    assert first.status_code == 200, first.text
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
    with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as squeezed:
        gzip_bytes = sum(len(part) for part in squeezed.iter_raw())
    return {
        "median_ms": round(statistics.median(taken), 2),
        "p95_ms": round(statistics.quantiles(taken, n=20)[18], 2),
        "bytes": len(first.content),
        "gzip_bytes": gzip_bytes,
    }
