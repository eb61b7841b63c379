"""Every quantity that the system knows: key, unit, decimals, plausible range, label.

The key is the name on the wire (SenML `n`), in both stores, in the API and on dashboards. It carries its unit.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Scope = Literal["tank", "filter", "line", "rain", "node", "gateway"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the catalogue.

    Attributes:
        key: name everywhere, lower case, ends in its unit.
        senml_unit: unit on the wire (RFC 8428 registry where it has one); "" for a bare number.
        unit: unit as people read it; "" for a bare number.
        decimals: digits after the comma when shown.
        low: least plausible value, inclusive, in the key's unit.
        high: greatest plausible value, inclusive.
        label: name for people, by language code.
        derived: computed by the server from another quantity, never sent by a gateway.
        total: a running total that only grows; differences of it mean something, averages do not.
        sent_as: key under which gateways send it, where its meaning follows from the probe's place; "" for its own.
    """

    key: str
    senml_unit: str
    unit: str
    decimals: int
    low: float
    high: float
    label: MappingProxyType[str, str]
    derived: bool = False
    total: bool = False
    sent_as: str = ""


def _label(vi: str, en: str) -> MappingProxyType[str, str]:
    return MappingProxyType({"vi": vi, "en": en})


_ROWS: Final = (
    Quantity("distance_m", "m", "m", 3, 0.0, 12.0, _label("Khoảng cách tới mặt nước", "Distance to water")),
    Quantity("flow_lpm", "l/min", "lít/phút", 1, 0.0, 500.0, _label("Lưu lượng", "Flow")),
    Quantity("volume_total_l", "l", "lít", 0, 0.0, 1e12, _label("Tổng lượng nước", "Total volume"), total=True),
    Quantity("outflow_lpm", "l/min", "lít/phút", 1, 0.0, 500.0, _label("Lưu lượng ra", "Outflow"), sent_as="flow_lpm"),
    Quantity(
        "outflow_total_l",
        "l",
        "lít",
        0,
        0.0,
        1e12,
        _label("Tổng lượng nước ra", "Total outflow"),
        total=True,
        sent_as="volume_total_l",
    ),
    Quantity("head_m", "m", "m", 2, -1.0, 10.0, _label("Cột nước", "Water head")),
    Quantity("pressure_bar", "bar", "bar", 2, -1.0, 25.0, _label("Áp lực", "Pressure")),
    Quantity("temperature_c", "Cel", "°C", 1, -10.0, 60.0, _label("Nhiệt độ nước", "Water temperature")),
    Quantity("battery_v", "V", "V", 1, 0.0, 60.0, _label("Ắc quy", "Battery")),
    Quantity("level_m", "m", "m", 2, -0.5, 12.0, _label("Mực nước", "Water level"), derived=True),
    Quantity("volume_l", "l", "lít", 0, 0.0, 1e9, _label("Lượng nước dùng được", "Usable volume"), derived=True),
    Quantity("fill_pct", "%", "%", 0, 0.0, 150.0, _label("Mức đầy", "Fill"), derived=True),
    Quantity("spool_depth", "", "", 0, 0.0, 1e12, _label("Số bản ghi chờ gửi", "Records waiting"), derived=True),
)

QUANTITIES: Final = MappingProxyType({row.key: row for row in _ROWS})
"""All quantities by key."""

OUTWARD: Final = MappingProxyType({row.sent_as: row.key for row in _ROWS if row.sent_as})
"""What a flow quantity is called where it leaves a tank."""
