"""Read a reviewed places file (TOML) as a register, or say everything that is wrong with it, line by line."""

import re
import tomllib
from datetime import UTC
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ingest_service.domain.catalogue import OUTWARD
from ingest_service.domain.gauge import quantity_of
from ingest_service.domain.places import Asset, Contact, Node, Place, Placement, Register
from ingest_service.storage.places_faults import find_faults
from ingest_service.storage.places_rows import AssetRow, PlaceRow, PlacesRows, build_tank
from ingest_service.storage.toml_lines import Location, TomlLines

EXAMPLE: Final = Path(str(resources.files("ingest_service") / "places.example.toml"))
"""A commented example, packaged; the demonstration loads it."""


class PlacesError(Exception):
    """The file cannot become the register; the message has one line for each fault."""


def read_places(path: Path) -> Register:
    """The register that the file describes (version 0).

    Raises:
        PlacesError: with every fault, its line and its mend.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise PlacesError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlacesError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise PlacesError(f"{path}: no TOML: {error}") from error
    try:
        rows = PlacesRows.model_validate(raw)
    except ValidationError as error:
        faults = [(tuple(fault["loc"]), _mend(dict(fault))) for fault in error.errors()]
        raise PlacesError(_report(path, text, faults)) from error
    if found := find_faults(rows):
        raise PlacesError(_report(path, text, found))
    return _build(rows)


def _report(path: Path, text: str, faults: list[tuple[Location, str]]) -> str:
    lines = TomlLines(text)
    placed = sorted({(lines.find(location), words) for location, words in faults})
    return "\n".join(f"{path}:{line}: {words}" for line, words in placed)


_MENDS: Final = {
    "missing": "{name} is missing",
    "extra_forbidden": "{name} is not known here; is it misspelt?",
    "literal_error": "{name} = {input!r} must be one of {expected}",
    "float_type": "{name} = {input!r} must be a number",
    "int_type": "{name} = {input!r} must be a whole number",
    "string_type": "{name} = {input!r} must be text in quotes",
    "list_type": "{name} must be a list in [ ]",
    "datetime_type": "{name} = {input!r} must be an instant without quotes, e.g. 2026-03-01T00:00:00+07:00",
    "greater_than": "{name} = {input!r} must be more than {gt}",
    "greater_than_equal": "{name} = {input!r} must be at least {ge}",
    "less_than_equal": "{name} = {input!r} must be at most {le}",
    "too_short": "{name} needs at least one entry",
}
_PATTERNS: Final = {
    "phone": "a telephone number as people dial it, e.g. 0206 385 2255",
    "id": "a node's id: 1 to 8 of A-Z, 0-9, _ and -, as the node says it",
    "node": 'a node written "gateway/ID", e.g. "lung-sau/T01"',
}


def _mend(fault: dict[str, Any]) -> str:
    name = next((part for part in reversed(fault["loc"]) if isinstance(part, str)), "the file")
    if fault["type"] == "string_pattern_mismatch":
        kind = _PATTERNS.get(name, "lower-case letters a-z, digits and -, e.g. lung-sau")
        return f"{name} = {fault['input']!r} must be {kind}"
    words = _MENDS.get(fault["type"])
    if words is None:
        return f"{name}: {re.sub('^Value error, ', '', fault['msg'])}"
    return words.format(name=name, input=fault["input"], **fault.get("ctx", {}))


def _build(rows: PlacesRows) -> Register:
    nodes = (Node(row.gateway, row.id, row.place, row.interval_s) for row in rows.node)
    return Register(
        places={row.key: _place(row) for row in rows.place},
        assets={row.key: _asset(row) for row in rows.asset},
        nodes={node.key: node for node in nodes},
        placements=tuple(
            Placement(
                row.node,
                channel,
                row.asset,
                row.from_at.astimezone(UTC),
                row.to_at and row.to_at.astimezone(UTC),
                row.sensor_height_m,
                (row.direction or "in") if quantity_of(channel) in OUTWARD else "in",
            )
            for row in rows.placement
            for channel in row.channels
        ),
    )


def _place(row: PlaceRow) -> Place:
    contacts = tuple(Contact(contact.name, contact.phone, contact.role) for contact in row.contact)
    return Place(row.key, row.name, row.commune, row.people, row.latitude, row.longitude, contacts)


def _asset(row: AssetRow) -> Asset:
    return Asset(row.key, row.place, row.kind, row.name, build_tank(row.tank) if row.tank else None, row.thresholds)
