"""A places file becomes a register, or every fault is named with its line and mend."""

from pathlib import Path

import pytest

from ingest_service.domain.places import Register
from ingest_service.storage.places_changes import describe_changes
from ingest_service.storage.places_file import EXAMPLE, PlacesError, read_places

VILLAGE = Path(__file__).parent / "places.toml"
GOOD = VILLAGE.read_text()


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "places.toml"
    path.write_text(text)
    with pytest.raises(PlacesError) as caught:
        read_places(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def line_of(text: str, words: str) -> int:
    return text[: text.rindex(words)].count("\n") + 1


def test_the_packaged_example_is_good() -> None:
    assert set(read_places(EXAMPLE).nodes) == {f"lung-sau/{node}" for node in ("T01", "T02", "F01", "L01")}


def test_a_good_file_is_a_register() -> None:
    register = read_places(VILLAGE)
    assert register.places["lung-sau"].name == "Lũng Sâu"
    tank = register.assets["lung-sau-be-1"].tank
    assert tank is not None
    assert (tank.shape.dimensions, tank.full_m, tank.sensor_height_m) == ({"diameter_m": 1.5}, 1.7, 2.1)
    assert set(register.nodes) == {f"lung-sau/{node}" for node in ("T01", "T02", "F01", "L01")}
    assert len(register.placements) == 14


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('phone = "0900 000 001"', 'phone = "call me"', "phone = 'call me' must be a telephone number"),
        ("people = 180", "peeple = 180", "peeple is not known here; is it misspelt?"),
        ('source = "piped"', 'source = "well"', "source = 'well' must be one of 'rain' or 'piped'"),
        ("full_m = 1.70", "full_m = 0.05", "full_m 0.05 must be above outlet_m 0.1"),
        ("sensor_height_m = 2.10", "sensor_height_m = 1.5", "sensor_height_m 1.5 must be above full_m 1.7"),
        ("full_m = 1.70", "full_m = nan", "full_m"),
        ('node = "lung-sau/L01"', 'node = "lung-sau/X99"', "there is no [[node]] 'lung-sau/X99'"),
        ('asset = "lung-sau-tuyen-1"', 'asset = "nowhere"', "there is no [[asset]] 'nowhere'"),
        ('"pressure_bar"]', '"level_m"]', "no probe measures 'level_m'"),
        ('"pressure_bar"]', '"distance_m"]', "distance_m becomes a level, and lung-sau-tuyen-1 is a line"),
        ('key = "lung-sau-be-2"', 'key = "lung-sau-be-1"', "the asset lung-sau-be-1 stands in the file twice"),
        ('asset = "lung-sau-tuyen-1"', 'direction = "out"\nasset = "lung-sau-tuyen-1"',
         "direction says whether a meter sits before or behind a tank, and lung-sau-tuyen-1 is a line"),
        ('id = "T02"', 'id = "T 2"', "id = 'T 2' must be a node's id"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert any(fault.startswith(f"{line_of(text, new)}: {words}") for fault in faults(tmp_path, text))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("people = 180", "people = -1").replace('role = "technician"', 'role = "king"')
    assert len(faults(tmp_path, text)) == 2


def test_a_shape_that_cannot_be_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("diameter_m = 1.50", "diametre_m = 1.50")
    found = "\n".join(faults(tmp_path, text))
    assert "cylinder needs diameter_m" in found
    assert "cylinder has no diametre_m" in found


def test_a_tank_that_is_lower_than_its_full_level_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace('"cylinder"', '"horizontal_cylinder"', 1).replace(
        "diameter_m = 1.50", "diameter_m = 1.20\nlength_m = 2.00", 1
    )
    assert f"{line_of(text, 'full_m = 1.70')}: full_m 1.7 is above the top of the shape, 1.2 m" in faults(
        tmp_path, text
    )


@pytest.mark.parametrize(
    ("rule", "number", "words"),
    [
        ("tank_low", "rase_at = 25", "rule tank_low has no number rase_at; it has raise_at, dry_raise_at, clear_above"),
        ("tank_low", "raise_at = nan", "raise_at of rule tank_low is nan: it must be 0 or more"),
        ("tank_empty", "raise_at = -5", "raise_at of rule tank_empty is -5: it must be 0 or more"),
        ("overflow", "raise_for_min = inf", "raise_for_min of rule overflow is inf: it must be from 0 to 10080"),
        ("stuck", "identical_h = 1000", "identical_h of rule stuck is 1000: it must be from 0 to 168"),
        ("offline", "intervals = 5", "offline is about nodes and gateways, not assets"),
        ("low", "raise_at = 25", "there is no alert rule 'low'; there are offline, overflow"),
    ],
)
def test_a_threshold_that_would_end_the_watch_is_refused(tmp_path: Path, rule: str, number: str, words: str) -> None:
    for wrong in (f"\n[asset.thresholds.{rule}]\n{number}\n", f"\n[asset.thresholds]\n{rule} = {{ {number} }}\n"):
        text = GOOD.replace("diameter_m = 1.50\n", f"diameter_m = 1.50\n{wrong}", 1)
        (fault,) = faults(tmp_path, text)
        line, _, said = fault.partition(": ")
        assert said.startswith(words)
        assert abs(int(line) - line_of(text, number)) <= 1


def test_a_tank_without_geometry_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace('kind = "filter"', 'kind = "tank"')
    assert any("lung-sau-loc-1 needs its geometry" in fault for fault in faults(tmp_path, text))


def placement(node: str, asset: str, channel: str, begin: str, end: str = "") -> str:
    last = f"to = {end}T00:00:00Z\n" if end else ""
    head = f'\n[[placement]]\nnode = "lung-sau/{node}"\nasset = "{asset}"\nchannels = ["{channel}"]\n'
    return f"{head}from = {begin}T00:00:00Z\n{last}"


def test_one_probe_is_at_one_place_at_a_time(tmp_path: Path) -> None:
    again = GOOD + placement("T01", "lung-sau-be-2", "battery_v", "2026-01-01")
    path = tmp_path / "good.toml"
    path.write_text(again)
    read_places(path)
    assert "is already placed at lung-sau-be-1" in "\n".join(
        faults(tmp_path, GOOD + placement("T01", "lung-sau-be-2", "distance_m", "2026-01-01"))
    )
    assert "would write one series at lung-sau-be-1" in "\n".join(
        faults(tmp_path, GOOD + placement("L01", "lung-sau-be-1", "distance_m2", "2026-01-01"))
    )


def test_a_tank_may_have_a_meter_at_its_inlet_and_one_at_its_outlet(tmp_path: Path) -> None:
    outlet = placement("L01", "lung-sau-be-1", "flow_lpm2", "2026-01-01")
    path = tmp_path / "places.toml"
    path.write_text(GOOD + outlet + 'direction = "out"\n')
    assert [one.direction for one in read_places(path).placements if one.channel == "flow_lpm2"] == ["out"]
    (fault,) = faults(tmp_path, GOOD + outlet)
    assert 'or give a meter behind a tank direction = "out"' in fault
    (fault,) = faults(tmp_path, GOOD + outlet + 'direction = "away"\n')
    assert "direction = 'away' must be one of 'in' or 'out'" in fault
    (fault,) = faults(
        tmp_path, GOOD + placement("L01", "lung-sau-be-1", "battery_v", "2026-01-01") + 'direction = "out"\n'
    )
    assert "direction is for flow meters, and none of battery_v is one (flow_lpm, volume_total_l are)" in fault


def test_direction_holds_for_the_flow_channels_of_a_placement() -> None:
    ways = {one.channel: one.direction for one in read_places(EXAMPLE).placements if one.node == "lung-sau/T01"}
    assert ways == {"distance_m": "in", "flow_lpm": "out", "volume_total_l": "out", "temperature_c": "in"}


def test_a_probe_may_move_on_when_its_time_has_ended(tmp_path: Path) -> None:
    first = placement("L01", "lung-sau-be-1", "battery_v", "2026-01-01", "2026-02-01")
    path = tmp_path / "moved.toml"
    path.write_text(GOOD + first + placement("L01", "lung-sau-be-2", "battery_v", "2026-02-01"))
    assert len(read_places(path).placements) == 16
    backwards = placement("L01", "lung-sau-be-1", "battery_v", "2026-02-01", "2026-01-01")
    assert "to must be later than from" in "\n".join(faults(tmp_path, GOOD + backwards))


def test_an_instant_needs_a_zone(tmp_path: Path) -> None:
    text = GOOD.replace("from = 2025-01-01T00:00:00+07:00", "from = 2025-01-01T00:00:00", 1)
    assert any("needs a time zone" in fault for fault in faults(tmp_path, text))


def test_what_is_no_toml_is_said_with_its_line(tmp_path: Path) -> None:
    assert "at line 2" in faults(tmp_path, "[[place]]\nkey = \n")[0]


def test_removed_rows_are_named() -> None:
    lines = describe_changes(read_places(VILLAGE), Register())
    assert "- asset lung-sau-be-1 (its history stays)" in lines
    assert len(lines) == 1 + 4 + 4 + 14
