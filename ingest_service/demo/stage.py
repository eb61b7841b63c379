"""Sets the stage of the demonstration: folder, ports, clock, configuration, programs in order."""

import secrets
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from ingest_service.demo.link import Link
from ingest_service.demo.parts import Part, Village

GATEWAY = "lung-sau"
NODES = ("T01", "T02", "F01", "L01")


@dataclass(frozen=True, slots=True)
class Pace:
    """The village's clock: runs `factor` times as fast as the real one, from `origin_ms` at `real_origin_ms`."""

    factor: float
    origin_ms: int
    real_origin_ms: int

    def now_ms(self) -> int:
        """Instant on the village's clock."""
        return round(self.origin_ms + (time.time() * 1000 - self.real_origin_ms) * self.factor)

    def minute(self) -> float:
        """Minutes of the village's clock since the start."""
        return (self.now_ms() - self.origin_ms) / 60_000


@dataclass(slots=True)
class Stage:
    """Everything that runs in the demonstration."""

    folder: Path
    pace: Pace
    web_port: int
    village: Village
    gateway: Part
    server: Part
    link: Link
    gateway_config: Path
    server_env: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.web_port}"

    def check(self) -> None:
        """Raise `PartDiedError` when a program has ended by itself."""
        self.server.check()
        self.gateway.check()
        self.village.check()

    def close(self) -> None:
        """End everything, the source of the flow first; harmless when called twice."""
        self.village.stop()
        self.gateway.stop()
        self.server.stop()
        self.link.cut()


def free_port() -> int:
    """A TCP port on the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(
    factor: float,
    folder: Path | None = None,
    *,
    web_port: int = 0,
    seed: int | None = None,
    own_broker: int = 0,
) -> Stage:
    """Lay out folder, configuration and programs; nothing is started yet.

    Args:
        factor: how many times faster than real time the village lives.
        folder: for stores, logs and ports; None makes a new one.
        web_port: of the pages; 0 takes a free one.
        seed: of the village's dice; None throws them anew.
        own_broker: port of a broker on this machine; 0 lets the server start one.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="monuoc-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    now_ms = round(time.time() * 1000)
    pace = Pace(factor, now_ms, now_ms)
    port = web_port or free_port()
    broker_port = own_broker or free_port()
    link = Link(("127.0.0.1", broker_port))
    link.mend()
    config = place / "gateway.toml"
    config.write_text(_gateway_toml(place, link.port, pace))
    env = {
        "MONUOC_DATA_DIR": str(place / "server"),
        "MONUOC_BROKER_HOST": "127.0.0.1" if own_broker else "",
        "MONUOC_BROKER_PORT": str(broker_port),
        "MONUOC_WEB_HOST": "127.0.0.1",
        "MONUOC_WEB_PORT": str(port),
        "MONUOC_CLOCK_FACTOR": repr(factor),
        "MONUOC_CLOCK_ORIGIN_MS": str(pace.origin_ms),
        "MONUOC_CLOCK_REAL_ORIGIN_MS": str(pace.real_origin_ms),
    }
    python = sys.executable
    village = [python, "-m", "firmware_scripts.sim.village", "--links", str(place / "ports"), "--factor", repr(factor)]
    village += ["--seed", str(secrets.randbelow(2**31) if seed is None else seed)]
    return Stage(
        folder=place,
        pace=pace,
        web_port=port,
        village=Village(village, place),
        gateway=Part("gateway", [python, "-m", "gateway.cli", "run", "--config", str(config)], place),
        server=Part("server", [python, "-m", "ingest_service.cli", "run"], place, env),
        link=link,
        gateway_config=config,
        server_env=env,
    )


def places_file() -> Path:
    """The example village that the demonstration loads."""
    return Path(str(resources.files("ingest_service") / "places.example.toml"))


def _gateway_toml(folder: Path, broker_port: int, pace: Pace) -> str:
    ports = "\n".join(f'[[port]]\npath = "{folder}/ports/{node}"\n' for node in NODES)
    return f"""\
id = "{GATEWAY}"
data_dir = "{folder}/gateway"

[broker]
host = "127.0.0.1"
port = {broker_port}

[clock]
trust = true
factor = {pace.factor!r}
origin_ms = {pace.origin_ms}
real_origin_ms = {pace.real_origin_ms}

[spool]
commit_interval_s = 0.2

[heartbeat]
interval_s = 0.5

[node.F01.channel.hd]
quantity = "head_m"
full_scale_kpa = 50
divider = 2.0

[node.L01.channel.hd]
quantity = "pressure_bar"
full_scale_kpa = 1000
divider = 2.0

{ports}"""
