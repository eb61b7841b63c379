"""A village of tanks for tests, with real stores and a clock that the test moves."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest_service.domain.places import Asset, Node, Place, Placement, Register, Tank, TankShape
from ingest_service.services.judge import judge
from ingest_service.services.ports import AlertChange, Heartbeat
from ingest_service.services.record import Arrived, Recorder
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.migrate import upgrade
from ingest_service.storage.records import SqlRecords

MINUTE = 60_000
HOUR = 60 * MINUTE
T0 = int(datetime(2026, 7, 6, tzinfo=UTC).timestamp() * 1000)  # in the wet season
SHAPE = TankShape("rectangular", {"length_m": 2.0, "width_m": 1.5})
TANK = Tank(SHAPE, outlet_m=0.2, full_m=1.2, sensor_height_m=2.0)  # 1 % is 1 cm, full at 0.8 m
SINCE = datetime(2024, 1, 2, tzinfo=UTC)


def distance_m(fill_pct: float) -> float:
    """What the probe over `TANK` reads at a fill."""
    return round(TANK.sensor_height_m - TANK.outlet_m - fill_pct / 100, 4)


def make_register(tanks: int = 1, **changed: object) -> Register:
    """`tanks` tanks "t1" ... with a node "T01" ... each, behind the gateway "gw"."""
    assets, nodes, placements = {}, {}, []
    for number in range(1, tanks + 1):
        asset, node = f"t{number}", Node("gw", f"T{number:02}", "lung-sau")
        assets[asset] = replace(Asset(asset, "lung-sau", "tank", f"Bể {number}", TANK), **changed)
        nodes[node.key] = node
        placements += [Placement(node.key, channel, asset, SINCE) for channel in ("distance_m", "flow_lpm")]
    return Register(0, {"lung-sau": Place("lung-sau", "Lũng Sâu")}, assets, nodes, tuple(placements))


@dataclass
class Village:
    """Stores in files; `now_ms` is what the clock says."""

    folder: Path
    register: Register = field(default_factory=make_register)
    now_ms: int = T0

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.folder}/records.sqlite3"
        upgrade(url)
        self.records = SqlRecords(url)
        self.observations = EmbeddedObservations(self.folder / "history.sqlite3")
        self.place(self.register)

    def place(self, register: Register) -> None:
        self.records.replace_register(register)
        self.register = register
        self.recorder = Recorder(self.observations, self.records.register())

    def close(self) -> None:
        self.records.close()
        self.observations.close()

    def receive(self, *runs: Arrived, now_ms: int | None = None) -> list[str]:
        """Record and store; reasons of what was refused are returned."""
        recorded = self.recorder.record(runs, self.now_ms if now_ms is None else now_ms)
        self.observations.write(recorded.points)
        return [one.reason for one in recorded.refused]

    def levels(self, fills: list[float | None], *, node: str = "T01", to_ms: int | None = None) -> None:
        """Receive readings of one a minute, the last one at `to_ms` (now); each is a fill in percent."""
        end_ms = self.now_ms if to_ms is None else to_ms
        at_ms = [end_ms - MINUTE * back for back in reversed(range(len(fills)))]
        value = [None if fill is None else distance_m(fill) for fill in fills]
        run = Arrived(f"gw/{node}", "distance_m", at_ms, value, [9 if one is None else 2 for one in value])
        assert self.receive(run, now_ms=max(end_ms, self.now_ms)) == []

    def beat(self, *, online: bool = True, **body: object) -> None:
        """The gateway says that it is well, or its will comes."""
        self.records.save_heartbeat(Heartbeat("gw", self.now_ms, self.now_ms, online, dict(body)))

    def judge(self, **more: int) -> list[AlertChange]:
        return judge(self.observations, self.records, self.now_ms, **more)

    def live(self, fills: list[float | None], *, beats: bool = True, every: int = 1) -> list[AlertChange]:
        """Let a minute pass for each fill: the reading comes, the gateway is well, every so often all is judged."""
        changes = []
        for number, fill in enumerate(fills, 1):
            self.now_ms += MINUTE
            if fill is not None:
                self.levels([fill])
            if beats:
                self.beat()
            if number % every == 0:
                changes += self.judge()
        return changes


def told(changes: list[AlertChange]) -> list[tuple[str, str, str]]:
    """What matters of changes in most tests."""
    return [(change.rule, change.asset, change.state) for change in changes]
