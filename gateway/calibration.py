"""From what a probe says (millimetres, millivolts, pulses) to a quantity in its unit."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.config import ChannelConfig

Points = tuple[tuple[float, float], ...]
Fields = Mapping[str, int | str | None]
Convert = Callable[[float, Fields], float | None]

GRAVITY_MPS2: Final = 9.786
"""At 22.65° N and 600 m."""
DENSITY_KGPM3: Final[Points] = (
    (0.0, 999.84),
    (4.0, 999.97),
    (10.0, 999.73),
    (20.0, 998.23),
    (30.0, 995.68),
    (40.0, 992.2),
)
"""Water by temperature in °C."""
SPAN: Final = (0.1, 0.9)
"""Part of the supply that a ratiometric transducer gives at zero and at full scale."""
BROKEN_BELOW, BROKEN_ABOVE = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Channel:
    """What becomes of one key of a node's frames.

    Attributes:
        quantity: name on the wire.
        low, high: inclusive range in which a value can be right.
        convert: raw value and the frame's other fields -> value in the quantity's unit; None: the probe is broken.
        decimals: digits worth sending.
    """

    quantity: str
    low: float
    high: float
    convert: Convert
    decimals: int


@dataclass(frozen=True, slots=True)
class Meter:
    """A pulse flow meter.

    Attributes:
        quantity: name of its flow on the wire.
        total: name of its running total on the wire.
        pulses_per_litre: its constant.
        table: ((Hz, l/min), ...) from a bucket test, growing; empty: the constant holds at every flow.
        max_flow_lpm: greatest flow that can be.
    """

    quantity: str
    total: str
    pulses_per_litre: float
    table: Points
    max_flow_lpm: float

    def flow_lpm(self, pulses: int, elapsed_ms: int) -> float:
        """Mean flow while `pulses` came in `elapsed_ms` > 0."""
        frequency_hz = pulses * 1000 / elapsed_ms
        if not self.table:
            return 60 * frequency_hz / self.pulses_per_litre
        return max(0.0, interpolate(self.table, frequency_hz)) if pulses else 0.0

    def frequency_hz(self, flow_lpm: float) -> float:
        """Pulses per second at a flow; the opposite of `flow_lpm`."""
        if not self.table:
            return flow_lpm * self.pulses_per_litre / 60
        return interpolate(tuple((lpm, hertz) for hertz, lpm in self.table), flow_lpm)

    def volume_l(self, pulses: int, elapsed_ms: int) -> float:
        """Litres that `pulses` stand for when they came in `elapsed_ms`."""
        if not self.table:
            return pulses / self.pulses_per_litre
        return self.flow_lpm(pulses, elapsed_ms) * elapsed_ms / 60_000 if elapsed_ms > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Usual:
    """What a key means where nobody has said otherwise."""

    quantity: str
    scale: float | None
    decimals: int


_USUAL: Final = MappingProxyType(
    {
        "ds": _Usual("distance_m", 0.001, 4),
        "hd": _Usual("head_m", None, 4),
        "tw": _Usual("temperature_c", 0.01, 2),
        "bv": _Usual("battery_v", 0.001, 3),
    }
)
_RANGES: Final = MappingProxyType(
    {
        "distance_m": (0.25, 4.5),
        "head_m": (-1.0, 10.0),
        "pressure_bar": (-1.0, 25.0),
        "temperature_c": (-10.0, 60.0),
        "battery_v": (0.0, 60.0),
    }
)
_USUAL_PULSES_PER_LITRE: Final = 450.0
_USUAL_MAX_FLOW_LPM: Final = 60.0


def build_channel(key: str, config: ChannelConfig | None) -> Channel | Meter | None:
    """What a frame key stands for.

    Args:
        key: as in the frame, with a digit 2 to 9 behind it for a second probe of the kind ("ds2").
        config: what the technician wrote; None: nothing.

    Returns:
        None for a key that is no probe's, or whose meaning needs a calibration that is not there.
    """
    kind, number = (key[:-1], key[-1]) if key[-1:] in tuple("23456789") else (key, "")
    config = config or ChannelConfig()
    named = config.quantity or ("flow_lpm" + number if kind == "fp" else "")
    if named.startswith("flow_lpm"):
        return _build_meter(named, config)
    usual = _USUAL.get(kind)
    quantity = named or (usual.quantity + number if usual else "")
    convert = _build_convert(config, usual, quantity)
    if not quantity or convert is None:
        return None
    low, high = _RANGES[quantity.rstrip("23456789")]
    return Channel(
        quantity,
        low if config.low is None else config.low,
        high if config.high is None else config.high,
        convert,
        usual.decimals if usual else 4,
    )


def _build_meter(quantity: str, config: ChannelConfig) -> Meter:
    return Meter(
        quantity,
        "volume_total_l" + quantity.removeprefix("flow_lpm"),
        config.pulses_per_litre or _USUAL_PULSES_PER_LITRE,
        config.flow_table,
        config.max_flow_lpm or _USUAL_MAX_FLOW_LPM,
    )


def _build_convert(config: ChannelConfig, usual: _Usual | None, quantity: str) -> Convert | None:
    offset = config.offset or 0.0
    if config.full_scale_kpa is not None:
        return _build_transducer(config, config.full_scale_kpa, quantity, offset)
    if config.table:
        table = config.table
        return lambda raw, _: interpolate(table, raw) + offset
    scale = config.scale if config.scale is not None else usual.scale if usual else None
    if scale is None:
        return None
    if (
        quantity.startswith("distance_m")
        and config.c_ref_mps
        and (config.temperature or config.temperature_c is not None)
    ):
        return lambda raw, fields: _corrected(raw * scale + offset, config, _read_temperature_c(config, fields))
    return lambda raw, _: raw * scale + offset


def _build_transducer(config: ChannelConfig, full_scale_kpa: float, quantity: str, offset: float) -> Convert:
    in_bar = quantity.startswith("pressure_bar")

    def convert(raw: float, fields: Fields) -> float | None:
        pressure_kpa = ratiometric_kpa(raw * config.divider, _read_supply_mv(config, fields), full_scale_kpa)
        if pressure_kpa is None:
            return None
        if in_bar:
            return pressure_kpa / 100 + offset
        temperature_c = _read_temperature_c(config, fields)
        return head_m(pressure_kpa, 20.0 if temperature_c is None else temperature_c) + offset

    return convert


def _read_supply_mv(config: ChannelConfig, fields: Fields) -> float:
    """The supply as measured with the sensor, else as written down."""
    raw = fields.get(config.supply) if config.supply else None
    divider = config.divider if config.supply_divider is None else config.supply_divider
    return raw * divider if isinstance(raw, int) and raw > 0 else config.supply_mv


def _read_temperature_c(config: ChannelConfig, fields: Fields) -> float | None:
    """The frame's own temperature if it has one, else the fixed one."""
    raw = fields.get(config.temperature) if config.temperature else None
    return raw / 100 if isinstance(raw, int) else config.temperature_c


def _corrected(distance_m: float, config: ChannelConfig, temperature_c: float | None) -> float:
    return distance_m if temperature_c is None else correct_distance_m(distance_m, temperature_c, config.c_ref_mps)


def interpolate(points: Points, x: float) -> float:
    """Straight lines between measured points, and on beyond the first and last pair.

    Args:
        points: at least two, first numbers growing.
        x: where.
    """
    index = min(max(bisect_right(points, (x, math.inf)), 1), len(points) - 1)
    (x0, y0), (x1, y1) = points[index - 1], points[index]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def sound_speed_mps(temperature_c: float) -> float:
    """Speed of sound in air."""
    return 331.3 * math.sqrt(1 + temperature_c / 273.15)


def correct_distance_m(distance_m: float, temperature_c: float, c_ref_mps: float = 340.0) -> float:
    """Distance of a module that counts with `c_ref_mps`, put right for the air's temperature."""
    return distance_m * sound_speed_mps(temperature_c) / c_ref_mps


def ratiometric_kpa(sensor_mv: float, supply_mv: float, full_scale_kpa: float) -> float | None:
    """Pressure of a 10 to 90 % transducer; None when the voltage shows a broken wire or sensor."""
    part = sensor_mv / supply_mv
    if not BROKEN_BELOW <= part <= BROKEN_ABOVE:
        return None
    return (part - SPAN[0]) / (SPAN[1] - SPAN[0]) * full_scale_kpa


def head_m(pressure_kpa: float, temperature_c: float = 20.0, gravity_mps2: float = GRAVITY_MPS2) -> float:
    """Height of the water column that presses so."""
    return pressure_kpa * 1000 / (interpolate(DENSITY_KGPM3, temperature_c) * gravity_mps2)
