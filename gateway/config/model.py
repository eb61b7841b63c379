"""The sections of the gateway's configuration, with their defaults."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from gateway.config.fields import Key, Keys, OneOf, Pattern, Range

MEASURED: Final = ("distance_m", "flow_lpm", "head_m", "pressure_bar", "temperature_c", "battery_v")
"""Quantities that a channel can be; `flow_lpm` brings `volume_total_l` with it."""

NODE_ID: Final = Pattern(r"[A-Z0-9_-]{1,8}", "1 to 8 of A-Z, 0-9, - and _")
FRAME_KEY: Final = Pattern(r"[a-z0-9]{2,4}", "2 to 4 of a-z and 0-9, as in the node's frames (ds, fp, hd, tw, bv)")

Points = tuple[tuple[float, float], ...]
Faults = Iterator[tuple[str, str]]
"""(key, what is wrong with it and how to mend it)."""


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the gateway publishes.

    Attributes:
        password_file: file with the password alone in it; None without a password.
        tls_ca: certificates to trust; set, it turns TLS on.
        tls_cert, tls_key: the gateway's own certificate, where the broker asks for one.
    """

    host: Annotated[str, Pattern(r"\S+", "a host name or an address")] = "127.0.0.1"
    port: Annotated[int, Range(1, 65535)] = 1883
    username: str = ""
    password_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    keepalive_s: Annotated[int, Range(5, 3600)] = 60

    def faults(self) -> Faults:
        """What single values cannot show."""
        if (self.tls_cert is None) != (self.tls_key is None):
            yield "tls_cert", "tls_cert and tls_key belong together: give both or neither"
        if self.tls_cert is not None and self.tls_ca is None:
            yield "tls_cert", "a client certificate needs TLS: give tls_ca as well"
        if self.password_file is not None and not self.username:
            yield "password_file", "a password needs a user: give username as well"


@dataclass(frozen=True, slots=True)
class ClockConfig:
    """How far the wall clock is believed, and the fast clock of demonstrations.

    Attributes:
        trust: a battery-backed clock (DS3231) is fitted, so the time is right even before the network is.
        factor, origin_ms, real_origin_ms: now = origin + (real - real origin) * factor; 1, 0, 0 is the real clock.
    """

    trust: bool = False
    factor: Annotated[float, Range(0.001, 100_000)] = 1.0
    origin_ms: Annotated[int, Range(0, 2**53)] = 0
    real_origin_ms: Annotated[int, Range(0, 2**53)] = 0


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """What is kept until the server has it.

    Attributes:
        max_bytes: greatest size on disk; beyond it the oldest frames are thinned, new ones never refused.
        commit_interval_s: most that a power cut can take; each commit is one write to the card.
    """

    max_bytes: Annotated[int, Range(1_000_000, 2**40)] = 512 * 1024 * 1024
    commit_interval_s: Annotated[float, Range(0.01, 60)] = 5.0


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """How the spool is emptied towards the server.

    Attributes:
        window: most packs under way without an answer.
        backlog_window: how many of them may be backlog, so that fresh readings never wait behind it.
        answer_timeout_s: after this long without an answer a pack is sent again.
        backlog_readings: most readings in one backlog pack.
    """

    window: Annotated[int, Range(1, 1000)] = 16
    backlog_window: Annotated[int, Range(1, 1000)] = 4
    answer_timeout_s: Annotated[float, Range(0.1, 3600)] = 20.0
    backlog_readings: Annotated[int, Range(1, 500)] = 500

    def faults(self) -> Faults:
        """What single values cannot show."""
        if self.backlog_window > self.window:
            yield "backlog_window", f"must not be greater than window ({self.window})"


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """How often the gateway says how it is."""

    interval_s: Annotated[float, Range(0.1, 3600)] = 60.0


@dataclass(frozen=True, slots=True)
class PortConfig:
    """One place where frames come from.

    Attributes:
        kind: a serial line, a village of simulated nodes, or a recording to be played again.
        path: serial: device, stable name or pattern (`/dev/serial/by-id/*`), each match is a port of its own;
            replay: the recording; simulated: the village's description, "" for the built-in one.
        baud: speed of the line.
        record: file to which every line heard is added with its instant.
        pace: replay: how many times faster than recorded; 0 is as fast as possible.
    """

    kind: Literal["serial", "simulated", "replay"] = "serial"
    path: str = ""
    baud: Annotated[int, OneOf(9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)] = 115200
    record: Path | None = None
    pace: Annotated[float, Range(0, 1e6)] = 1.0

    def faults(self) -> Faults:
        """What single values cannot show."""
        if self.kind == "serial" and not self.path.startswith(("/", "socket://", "rfc2217://")):
            yield "path", 'a serial port needs its path, such as "/dev/serial/by-id/usb-..."; list them with ls -l'
        if self.kind == "replay" and not self.path:
            yield "path", "a replay needs the path of a recording"


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """How one key of a node's frames becomes a quantity. What is not given takes the key's default.

    Attributes:
        quantity: what it measures, with a digit 2 to 9 behind it for a second probe of the kind.
        low, high: range in which a value can be right, in the quantity's unit; outside it is marked failed.
        scale, offset: value = raw * scale + offset.
        table: ((raw, value), ...) measured points, linear between and beyond the last two.
        pulses_per_litre: flow meter's constant K.
        flow_table: ((Hz, l/min), ...) from a bucket test; replaces `pulses_per_litre`.
        max_flow_lpm: greatest flow that can be; pulses beyond 1.2 times of it are refused.
        full_scale_kpa: ratiometric transducer (0.5 to 4.5 V at 5 V): pressure at the end of its span.
        supply_mv: the transducer's supply.
        supply: key of the same node's frames that measures the supply (vs); `supply_mv` then stands in for a lost one.
        divider: sensor voltage / voltage at the ADC pin.
        supply_divider: the same for the supply; None: as `divider`.
        c_ref_mps: speed of sound that the distance module counts with; 0: the module corrects by itself.
        temperature: key of the same node's frames whose temperature corrects this channel.
        temperature_c: fixed temperature for that, where none is measured.
    """

    quantity: Annotated[str, Pattern(rf"({'|'.join(MEASURED)})[2-9]?", "one of " + ", ".join(MEASURED))] | None = None
    low: float | None = None
    high: float | None = None
    scale: float | None = None
    offset: float | None = None
    table: Points = ()
    pulses_per_litre: Annotated[float, Range(0.1, 100_000)] | None = None
    flow_table: Points = ()
    max_flow_lpm: Annotated[float, Range(0.1, 100_000)] | None = None
    full_scale_kpa: Annotated[float, Range(1, 100_000)] | None = None
    supply_mv: Annotated[float, Range(1000, 30_000)] = 5000.0
    supply: Annotated[str, Pattern("|" + FRAME_KEY.regex, FRAME_KEY.words)] = ""
    divider: Annotated[float, Range(0.1, 100)] = 1.0
    supply_divider: Annotated[float, Range(0.1, 100)] | None = None
    c_ref_mps: Annotated[float, Range(0, 400)] = 340.0
    temperature: Annotated[str, Pattern("|" + FRAME_KEY.regex, FRAME_KEY.words)] = ""
    temperature_c: Annotated[float, Range(-20, 60)] | None = None

    def faults(self) -> Faults:
        """What single values cannot show."""
        if self.low is not None and self.high is not None and self.low >= self.high:
            yield "low", f"must be less than high ({self.high:g})"
        ways = [name for name in ("table", "scale", "full_scale_kpa") if getattr(self, name)]
        if len(ways) > 1:
            yield ways[1], f"{' and '.join(ways)} say the same thing twice: keep one"
        if self.flow_table and self.pulses_per_litre:
            yield "flow_table", "flow_table and pulses_per_litre say the same thing twice: keep one"
        for name in ("table", "flow_table"):
            points: Points = getattr(self, name)
            if points and len(points) < 2:
                yield name, "needs at least two points"
            if any(a[0] >= b[0] for a, b in itertools.pairwise(points)):
                yield name, "the first number of each point must grow from point to point"
        if any(a[1] >= b[1] for a, b in itertools.pairwise(self.flow_table)):
            yield "flow_table", "more pulses mean more flow: the second number of each point must grow as well"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What is known of one node.

    Attributes:
        interval_s: seconds between its frames; None: as the node says when it starts.
        channels: by frame key.
    """

    interval_s: Annotated[float, Range(0.2, 3600)] | None = None
    channels: Annotated[dict[str, ChannelConfig], Key("channel"), Keys(FRAME_KEY)] = field(default_factory=dict)

    def faults(self) -> Faults:
        """What single channels cannot show."""
        taken: dict[str, str] = {}
        for key, channel in self.channels.items():
            first = taken.setdefault(channel.quantity or key, key)
            if first != key:
                kind = str(channel.quantity).rstrip("23456789")
                yield "channel", f"{first} and {key} are both {channel.quantity}: number them: {kind}, {kind}2, {kind}3"


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Everything that one gateway is told.

    Attributes:
        id: the gateway's name in topics.
        data_dir: folder of the spool and the control socket.
    """

    id: Annotated[str, Pattern(r"[a-z0-9][a-z0-9-]{0,31}", "1 to 32 of a-z, 0-9 and -, such as lung-sau")]
    data_dir: Path = Path("/var/lib/monuoc-gateway")
    broker: BrokerConfig = field(default_factory=BrokerConfig)
    clock: ClockConfig = field(default_factory=ClockConfig)
    spool: SpoolConfig = field(default_factory=SpoolConfig)
    relay: RelayConfig = field(default_factory=RelayConfig)
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    ports: Annotated[tuple[PortConfig, ...], Key("port")] = ()
    nodes: Annotated[dict[str, NodeConfig], Key("node"), Keys(NODE_ID)] = field(default_factory=dict)
