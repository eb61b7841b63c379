"""What the demonstration came to: every figure counted afresh, from the nodes' side and from the stores' side."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ingest_service.bootstrap import Stores
from ingest_service.demo.stage import Stage
from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.services.ports import AlertChange

PAGES: Final = (
    "/",
    "/?lang=en",
    "/places/lung-sau",
    "/assets/lung-sau-be-1",
    "/assets/lung-sau-be-1?lang=en",
    "/assets/lung-sau-be-1/label",
    "/alerts",
    "/api/v1/assets",
    "/healthz",
    "/readyz",
    "/metrics",
)
_FAR_MS: Final = 2**52


def count(stage: Stage, stores: Stores, village: Mapping[str, Any], gateway: Mapping[str, Any]) -> dict[str, object]:
    """All figures of a run whose spool has drained.

    Args:
        stage: where the pages are.
        stores: the server's, open here as well.
        village: the village's `stats` event: what the nodes wrote.
        gateway: the gateway's heartbeat: what it committed.
    """
    committed = int(gateway["spool"]["committed_readings"])
    stored = count_stored(stores)
    return {
        "frames_sent": sum(node["frames_sent"] for node in village["nodes"].values()),
        "readings_committed": committed,
        "readings_stored": stored,
        "lost": max(0, committed - stored),
        "duplicates": max(0, stored - committed),
        "frame_gaps": sum(node["gaps"] for node in gateway["nodes"].values()),
        "rejects": sum(stores.records.count_rejects().values()),
        "alerts": tell_alerts(stores.records.changes()),
        "pages": [fetch(stage.address + path) for path in PAGES],
    }


def count_stored(stores: Stores) -> int:
    """Readings of gateways in the history; what the server derived is not counted."""
    measured = [key for key in stores.observations.series() if not QUANTITIES[key.quantity].derived]
    return sum(len(stores.observations.read(key, 0, _FAR_MS).at_ms) for key in measured)


def tell_alerts(changes: list[AlertChange]) -> list[dict[str, object]]:
    """Each alert with its rule, asset, and the instants it was raised and cleared at (None: still open)."""
    alerts: dict[str, dict[str, object]] = {}
    for change in sorted(changes, key=lambda change: change.decided_ms):
        row = alerts.setdefault(
            change.alert_id,
            {"id": change.rule, "asset": change.asset, "raised_at": None, "cleared_at": None},
        )
        if change.state in {"raised", "cleared"}:
            row[f"{change.state}_at"] = datetime.fromtimestamp(change.at_ms / 1000, UTC).isoformat(timespec="seconds")
    return list(alerts.values())


def fetch(address: str) -> dict[str, object]:
    """Status and compressed size of a page, as a browser that takes gzip gets it."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
            body, status = answer.read(), answer.status
            packed = body if answer.headers.get("Content-Encoding") == "gzip" else gzip.compress(body)
    except urllib.error.HTTPError as error:
        return {"address": address, "status": error.code, "compressed_bytes": 0}
    return {"address": address, "status": status, "compressed_bytes": len(packed)}


def ask(address: str) -> Any:  # noqa: ANN401 - what JSON gives
    """The JSON behind an address."""
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own address
        return json.load(answer)


def glance(address: str) -> str:
    """One line on every tank, from the API: how full it is, and whether that is stale."""
    latest = ask(address + "/api/v1/latest")
    rows = latest["latest"] if isinstance(latest, dict) else latest
    full = [row for row in rows if row["quantity"] == "fill_pct" and row["good_value"] is not None]
    stale = {True: " (số liệu cũ · stale)", False: ""}
    words = [f"{row['asset']} {row['good_value']:.0f} %{stale[row['stale']]}" for row in full]
    open_alerts = ask(address + "/api/v1/alerts?open=true")
    alerts = open_alerts["alerts"] if isinstance(open_alerts, dict) else open_alerts
    return ", ".join(words) + "".join(f"  ▲ {alert['rule']} {alert['subject']}" for alert in alerts)
