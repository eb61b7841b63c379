import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calibration import (
    Channel,
    Meter,
    build_channel,
    correct_distance_m,
    head_m,
    interpolate,
    ratiometric_kpa,
    sound_speed_mps,
)
from gateway.config import ChannelConfig


def _convert(key: str, config: ChannelConfig | None, raw: float, **fields: int | None) -> float | None:
    channel = build_channel(key, config)
    assert isinstance(channel, Channel)
    return channel.convert(raw, fields)


@pytest.mark.parametrize(
    ("temperature_c", "sound_mps", "distance_mm"),
    [(0, 331.30, 1461.6), (10, 337.31, 1488.1), (20, 343.21, 1514.2), (30, 349.02, 1539.8), (45, 357.55, 1577.4)],
)
def test_distance_follows_the_airs_temperature(temperature_c: float, sound_mps: float, distance_mm: float) -> None:
    assert sound_speed_mps(temperature_c) == pytest.approx(sound_mps, abs=0.006)
    assert correct_distance_m(1.5, temperature_c) * 1000 == pytest.approx(distance_mm, abs=0.06)


def test_a_ratiometric_transducer_gives_pressure_and_head() -> None:
    pressure_kpa = ratiometric_kpa(1300, 5000, 50)
    assert pressure_kpa == pytest.approx(10.0)
    assert head_m(10.0, 20) == pytest.approx(1.024, abs=0.0005)
    for temperature_c, metres in ((10, 1.0025), (20, 1.0040), (30, 1.0066)):
        assert head_m(9.81, temperature_c, 9.788) == pytest.approx(metres, abs=0.0001)
    assert ratiometric_kpa(249, 5000, 50) is None
    assert ratiometric_kpa(4751, 5000, 50) is None


def test_usual_channels_need_no_configuration() -> None:
    assert _convert("ds", None, 1234) == pytest.approx(1.234)
    assert _convert("tw", None, 1862) == pytest.approx(18.62)
    assert _convert("bv", None, 12480) == pytest.approx(12.48)
    second = build_channel("ds2", None)
    assert isinstance(second, Channel)
    assert (second.quantity, second.low, second.high) == ("distance_m2", 0.25, 4.5)
    assert build_channel("hd", None) is None
    assert build_channel("zz", None) is None


def test_hd_by_transducer_with_supply_measured_or_written_down() -> None:
    config = ChannelConfig(quantity="pressure_bar", full_scale_kpa=1000, divider=2.0, supply="vs")
    assert _convert("hd", config, 1250, vs=2500) == pytest.approx(5.0)
    assert _convert("hd", config, 1250, vs=2400) == pytest.approx((2500 / 4800 - 0.1) / 0.8 * 10)
    assert _convert("hd", config, 1250, vs=None) == pytest.approx(5.0)
    assert _convert("hd", config, 30) is None


def test_hd_by_measured_points_or_scale() -> None:
    points = ChannelConfig(table=((500, 0.0), (2500, 2.55)))
    assert _convert("hd", points, 1500) == pytest.approx(1.275)
    assert _convert("hd", points, 4500) == pytest.approx(5.1)
    assert _convert("hd", ChannelConfig(scale=0.002, offset=-1), 1500) == pytest.approx(2.0)


def test_distance_is_corrected_by_the_nodes_own_thermometer_where_asked() -> None:
    config = ChannelConfig(temperature="tw", temperature_c=20.0)
    assert _convert("ds", config, 1500, tw=3000) == pytest.approx(1.5398, abs=0.0001)
    assert _convert("ds", config, 1500, tw=None) == pytest.approx(1.5142, abs=0.0001)
    assert _convert("ds", ChannelConfig(temperature="tw"), 1500, tw=None) == pytest.approx(1.5)
    assert _convert("ds", ChannelConfig(temperature="tw", c_ref_mps=0), 1500, tw=3000) == pytest.approx(1.5)


@pytest.mark.parametrize(("pulses_per_litre", "hertz", "flow_lpm"), [(450, 7.5, 1), (390, 6.5, 1), (12, 0.2, 1)])
def test_a_meters_constant_gives_its_flow(pulses_per_litre: float, hertz: float, flow_lpm: float) -> None:
    meter = build_channel("fp", ChannelConfig(pulses_per_litre=pulses_per_litre))
    assert isinstance(meter, Meter)
    assert meter.flow_lpm(int(hertz * 10), 10_000) == pytest.approx(flow_lpm)
    assert meter.volume_l(900, 1) == 900 / pulses_per_litre


def test_a_bucket_tests_table_gives_flow_and_volume() -> None:
    meter = build_channel("fp", ChannelConfig(flow_table=((0, 0), (75, 9.6), (225, 30))))
    assert isinstance(meter, Meter)
    assert meter.flow_lpm(750, 10_000) == pytest.approx(9.6)
    assert meter.volume_l(4500, 60_000) == pytest.approx(9.6)
    assert meter.flow_lpm(0, 10_000) == 0
    assert meter.frequency_hz(30) == pytest.approx(225)


@given(
    st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=2, unique_by=lambda p: p[0]),
    st.data(),
)
def test_interpolation_meets_every_point_and_stays_between(points: list[tuple[int, int]], data: st.DataObject) -> None:
    table = tuple((float(x), float(y)) for x, y in sorted(points))
    for x, y in table:
        assert interpolate(table, x) == pytest.approx(y)
    index = data.draw(st.integers(0, len(table) - 2))
    (x0, y0), (x1, y1) = table[index], table[index + 1]
    value = interpolate(table, data.draw(st.floats(x0, x1)))
    assert min(y0, y1) - 1e-6 <= value <= max(y0, y1) + 1e-6
