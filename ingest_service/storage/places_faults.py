"""What no single row of a places file shows: double keys, unknown references, geometry, overlapping placements."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations

from ingest_service.domain.alert import RULES
from ingest_service.domain.catalogue import OUTWARD, QUANTITIES
from ingest_service.domain.gauge import quantity_of
from ingest_service.domain.tank import tank_faults
from ingest_service.storage.places_rows import AssetRow, PlacementRow, PlacesRows, TankRow, build_tank
from ingest_service.storage.toml_lines import Location

Fault = tuple[Location, str]
_FOREVER = datetime.max.replace(tzinfo=UTC)


def find_faults(rows: PlacesRows) -> list[Fault]:
    """Every fault with its location; empty when the file may become the register."""
    return [*_double_keys(rows), *_unknown_references(rows), *_asset_faults(rows), *_placement_faults(rows)]


def _double_keys(rows: PlacesRows) -> Iterator[Fault]:
    node_keys = [f"{row.gateway}/{row.id}" for row in rows.node]
    tables = {
        "place": ([row.key for row in rows.place], "key"),
        "asset": ([row.key for row in rows.asset], "key"),
        "node": (node_keys, "id"),
    }
    for table, (keys, field) in tables.items():
        for index, key in enumerate(keys):
            if key in keys[:index]:
                yield (table, index, field), f"the {table} {key} stands in the file twice; give each its own {field}"


def _unknown_references(rows: PlacesRows) -> Iterator[Fault]:
    places = {row.key for row in rows.place}
    named = {"asset": [row.place for row in rows.asset], "node": [row.place for row in rows.node]}
    for table, keys in named.items():
        for index, key in enumerate(keys):
            if key not in places:
                yield (table, index, "place"), f"there is no [[place]] {key!r}"
    assets = {row.key for row in rows.asset}
    nodes = {f"{row.gateway}/{row.id}" for row in rows.node}
    for index, placement in enumerate(rows.placement):
        if placement.asset not in assets:
            yield ("placement", index, "asset"), f"there is no [[asset]] {placement.asset!r}"
        if placement.node not in nodes:
            yield ("placement", index, "node"), f"there is no [[node]] {placement.node!r}"


def _asset_faults(rows: PlacesRows) -> Iterator[Fault]:
    for index, row in enumerate(rows.asset):
        here: Location = ("asset", index)
        if row.kind == "tank" and row.tank is None:
            yield here, f"the tank {row.key} needs its geometry in [asset.tank]"
        if row.kind != "tank" and row.tank is not None:
            yield (*here, "tank"), f"{row.key} is a {row.kind}; only a tank has [asset.tank]"
        if row.tank is not None:
            yield from (((*here, *where), words) for where, words in _tank_faults(row.tank))
        yield from _threshold_faults(here, row)


def _tank_faults(tank: TankRow) -> Iterator[Fault]:
    for words in tank_faults(build_tank(tank)):
        field = words.split()[0]
        yield ("tank", field if field in TankRow.model_fields else "shape"), words


def _threshold_faults(here: Location, row: AssetRow) -> Iterator[Fault]:
    for rule, numbers in row.thresholds.items():
        there: Location = (*here, "thresholds", rule)
        if rule not in RULES:
            yield there, f"there is no alert rule {rule!r}; there are {', '.join(sorted(RULES))}"
        elif rule == "offline":
            yield there, "offline is about nodes and gateways, not assets; set the node's interval_s instead"
        else:
            for name, number in numbers.items():
                try:
                    RULES[rule].with_overrides({name: number})
                except ValueError as error:
                    yield (*there, name), str(error)


def _placement_faults(rows: PlacesRows) -> Iterator[Fault]:
    kinds = {row.key: row.kind for row in rows.asset}
    for index, row in enumerate(rows.placement):
        here: Location = ("placement", index)
        if row.to_at is not None and row.to_at <= row.from_at:
            yield (*here, "to"), "to must be later than from"
        for channel in row.channels:
            quantity = quantity_of(channel)
            if quantity is None:
                measured = ", ".join(key for key in QUANTITIES if quantity_of(key))
                yield (*here, "channels"), f"no probe measures {channel!r}; channels are {measured} (and …2 to …9)"
            elif quantity == "distance_m" and kinds.get(row.asset, "tank") != "tank":
                yield (*here, "channels"), f"distance_m becomes a level, and {row.asset} is a {kinds[row.asset]}"
        yield from (((*here, "direction"), words) for words in _direction_faults(row, kinds.get(row.asset, "tank")))
    yield from _overlaps(rows.placement)


def _direction_faults(row: PlacementRow, kind: str) -> Iterator[str]:
    if row.direction is None:
        return
    if not any(quantity_of(channel) in OUTWARD for channel in row.channels):
        yield f"direction is for flow meters, and none of {', '.join(row.channels)} is one ({', '.join(OUTWARD)} are)"
    if kind != "tank":
        yield f"direction says whether a meter sits before or behind a tank, and {row.asset} is a {kind}"


def _overlaps(placements: Sequence[PlacementRow]) -> Iterator[Fault]:
    spread = [(index, channel, row) for index, row in enumerate(placements) for channel in row.channels]
    for (first, channel, one), (second, other_channel, other) in combinations(spread, 2):
        if one.from_at >= (other.to_at or _FOREVER) or other.from_at >= (one.to_at or _FOREVER):
            continue
        here: Location = ("placement", second)
        if (one.node, channel) == (other.node, other_channel):
            yield here, f"{one.node} {channel} is already placed at {one.asset} in that time (placement {first + 1})"
        elif _series(one, channel) == _series(other, other_channel):
            words = f"{other.node} {other_channel} and {one.node} {channel} would write one series at {one.asset}; "
            mend = "end one with to = ... before the other begins"
            if quantity_of(channel) in OUTWARD:
                mend += ', or give a meter behind a tank direction = "out"'
            yield here, words + mend


def _series(row: PlacementRow, channel: str) -> tuple[str, str, str]:
    quantity = quantity_of(channel) or channel
    return row.asset, quantity, (row.direction or "in") if quantity in OUTWARD else ""
