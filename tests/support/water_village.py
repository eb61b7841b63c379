"""A village in every state at once, in real stores, for pages, API and their measurements."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest_service.domain.places import Asset, Contact, Node, Place, Placement, Register, Tank, TankShape
from ingest_service.domain.tank import Contents, height_m
from ingest_service.services.ports import AlertChange, Heartbeat, Points, Reject, SeriesKey
from ingest_service.storage import migrate
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.records import SqlRecords

NOW_MS = int(datetime(2026, 11, 23, 10, 30, tzinfo=UTC).timestamp() * 1000)
"""17:30 on 23/11/2026 where the water is."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

_CALL = (
    Contact("Tổ quản lý nước Lũng Sâu", "0900 000 001", "group"),
    Contact("Kỹ thuật viên nước", "0900 000 002", "technician"),
)
_PLACES = (
    Place("lung-sau", "Lũng Sâu", "Xã Mẫu", 180, 22.65, 106.23, _CALL),
    Place("na-mau", "Nà Mẫu", "Xã Mẫu", 75, contacts=_CALL),
    Place("ban-trong", "Bản Trống"),
)
_JAR = ((0.0, 0.6), (0.4, 1.1), (0.9, 1.2), (1.3, 0.9), (1.5, 0.6))
_TABLE = ((0.0, 0.0), (0.1, 38.0), (0.5, 355.0), (1.0, 905.0), (1.3, 1180.0))


def _tank(kind: str, full_m: float, source: str = "piped", points: tuple = (), **dimensions: float) -> Tank:
    return Tank(TankShape(kind, dimensions, points), 0.1, full_m, full_m + 0.4, source)


TANKS = {
    "be-thap": ("lung-sau", "Bể Lũng Sâu 1", _tank("cylinder", 1.7, diameter_m=1.5)),
    "be-tran": ("lung-sau", "Bể 2 trường học", _tank("rectangular", 1.2, "rain", length_m=2.0, width_m=1.5)),
    "be-tot": ("na-mau", "Lu nhà văn hóa", _tank("jar", 1.4, "rain", _JAR)),
    "be-het": ("na-mau", "Téc đầu xóm", _tank("horizontal_cylinder", 0.95, diameter_m=1.0, length_m=2.0)),
    "be-cu": ("na-mau", "Bể Khuổi Mẫu", _tank("dished", 1.3, diameter_m=1.2, dish_depth_m=0.2)),
    "be-ngo": ("na-mau", "Bể dốc", _tank("frustum", 0.95, bottom_diameter_m=0.6, top_diameter_m=1.0, height_m=1.0)),
    "be-moi": ("na-mau", "Bể mới xây", _tank("table", 1.25, points=_TABLE)),
}


def make_register() -> Register:
    """Seven tanks of seven shapes, a filter, a line; one place has nothing."""
    assets = {key: Asset(key, place, "tank", name, tank) for key, (place, name, tank) in TANKS.items()}
    assets["loc-1"] = Asset("loc-1", "lung-sau", "filter", "Bể lọc cát 1")
    assets["tuyen-1"] = Asset("tuyen-1", "lung-sau", "line", "Tuyến ống chính")
    nodes = [Node(asset.place, f"T{number:02}", asset.place) for number, asset in enumerate(assets.values(), 1)]
    placements = tuple(
        Placement(node.key, "distance_m" if asset.tank else "flow_lpm", asset.key, BEGIN)
        for node, asset in zip(nodes, assets.values(), strict=True)
    )
    places = {place.key: place for place in _PLACES}
    return Register(places=places, assets=assets, nodes={node.key: node for node in nodes}, placements=placements)


def daily(at_ms: int) -> float:
    """A day's swing, -1 to 1."""
    return math.sin(at_ms / DAY_MS * 2 * math.pi)


def falls_to(last_pct: float, pct_a_day: float) -> Callable[[int], float]:
    """A fill that falls evenly to `last_pct` now, with a day's swing."""
    return lambda at_ms: last_pct + (NOW_MS - at_ms) / DAY_MS * pct_a_day + 2 * (daily(at_ms) - daily(NOW_MS))


@dataclass
class Village:
    """Both stores, filled."""

    observations: EmbeddedObservations
    records: SqlRecords
    now_ms: int = NOW_MS

    def now(self) -> int:
        return self.now_ms

    def fill(
        self, asset: str, fill_pct: Callable[[int], float], from_ms: int, to_ms: int, step_ms: int, qc: int = 1
    ) -> None:
        """Write the fill of a tank and what follows from it."""
        tank = TANKS[asset][2]
        contents = Contents.of(tank)
        at_ms = list(range(from_ms, to_ms, step_ms))
        fills = [max(fill_pct(instant), 0.0) for instant in at_ms]
        litres = [fill * contents.capacity_l / 100 for fill in fills]
        levels = [height_m(tank.shape, volume + contents.dead_l) for volume in litres]
        for quantity, values in (("fill_pct", fills), ("volume_l", litres), ("level_m", levels)):
            self.write(asset, quantity, at_ms, values, qc)

    def write(self, asset: str, quantity: str, at_ms: list[int], values: list[float | None], qc: int = 1) -> None:
        self.observations.write([Points(SeriesKey(asset, quantity), at_ms, values, [qc] * len(at_ms))])

    def raise_alert(
        self, asset: str, rule: str, severity: str, ago_ms: int, reason: str, **evidence: float | str
    ) -> None:
        at_ms = self.now_ms - ago_ms
        name = f"{rule}@{asset}@{at_ms // 1000}"
        change = AlertChange(name, rule, asset, "raised", severity, at_ms, at_ms + MINUTE_MS, reason, evidence)
        self.records.append_changes([change], {})

    def close(self) -> None:
        self.observations.close()
        self.records.close()


def open_village(folder: Path) -> Village:
    """Fresh stores in `folder` that hold nothing."""
    url = f"sqlite:///{folder}/records.sqlite3"
    migrate.upgrade(url)
    return Village(EmbeddedObservations(folder / "history.sqlite3"), SqlRecords(url))


def make_village(folder: Path) -> Village:
    """The village with its week."""
    village = open_village(folder)
    village.records.replace_register(make_register())
    week, step = NOW_MS - 7 * DAY_MS, 10 * MINUTE_MS
    village.fill("be-thap", falls_to(28.0, 9.0), week, NOW_MS, step)
    village.fill("be-tran", lambda at_ms: min(100.0, 118 + falls_to(0, -4)(at_ms)), week, NOW_MS, step)
    village.fill("be-tot", lambda at_ms: 64 + 12 * daily(at_ms), week, NOW_MS - 3 * DAY_MS, step)
    village.fill("be-tot", lambda at_ms: 64 + 12 * daily(at_ms), NOW_MS - 2 * DAY_MS, NOW_MS, step)
    village.fill("be-het", falls_to(3.0, 12.0), week, NOW_MS, step)
    village.fill("be-cu", falls_to(55.0, 3.0), week, NOW_MS - 5 * HOUR_MS, step)
    village.fill("be-ngo", falls_to(71.0, 1.0), week, NOW_MS - HOUR_MS, step)
    village.fill("be-ngo", lambda _: 4.0, NOW_MS - HOUR_MS, NOW_MS, step, qc=3)
    at_ms = list(range(week, NOW_MS, step))
    village.write("loc-1", "flow_lpm", at_ms, [0.31 + 0.05 * daily(at) for at in at_ms])
    village.write("tuyen-1", "flow_lpm", at_ms, [12.5 + 6 * daily(at) for at in at_ms])
    village.write("tuyen-1", "pressure_bar", at_ms, [2.35 + 0.3 * daily(at) for at in at_ms])
    _raise_alerts(village)
    body = {"spool": {"depth": 3}, "nodes": {"T01": {"last_at": NOW_MS // 1000}}}
    village.records.save_heartbeat(Heartbeat("lung-sau", NOW_MS - 5000, NOW_MS - 4000, online=True, body=body))
    village.records.keep_rejects([Reject(NOW_MS, "monuoc/v1/lung-sau/data", b"{", "not_json")])
    return village


def _raise_alerts(village: Village) -> None:
    window = {"window_from_ms": NOW_MS - 95 * MINUTE_MS, "window_to_ms": NOW_MS - 65 * MINUTE_MS, "samples": 30}
    village.raise_alert(
        "be-thap", "tank_low", "warning", 65 * MINUTE_MS, "below",
        value=39.6, unit="%", fill_pct=39.6, volume_l=1119.9, threshold=40.0, **window,
    )  # fmt: skip
    village.raise_alert(
        "be-tran", "overflow", "info", 20 * MINUTE_MS, "above",
        value=99.0, unit="%", fill_pct=99.0, volume_l=3267.0, threshold=98.0, **window,
    )  # fmt: skip
    village.raise_alert(
        "be-het", "tank_empty", "critical", 3 * HOUR_MS, "below",
        value=4.4, unit="%", fill_pct=4.4, volume_l=64.0, threshold=5.0, **window,
    )  # fmt: skip
    village.raise_alert(
        "node:na-mau/T05", "offline", "warning", 4 * HOUR_MS, "silent", last_heard_ms=NOW_MS - 5 * HOUR_MS
    )
    village.raise_alert("be-ngo", "range", "warning", 25 * MINUTE_MS, "out_of_range", value=1.0, unit="share", **window)
