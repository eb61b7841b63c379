"""Say in words what a new register would change against the one in force."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from ingest_service.domain.places import Placement, Register


def describe_changes(old: Register, new: Register) -> list[str]:
    """One line for each row added (+), removed (-) or changed (~); empty when nothing changes."""
    return [
        *_compare("place", _rows(old.places), _rows(new.places)),
        *_compare("asset", _rows(old.assets), _rows(new.assets)),
        *_compare("node", _rows(old.nodes), _rows(new.nodes)),
        *_compare("placement", _placement_rows(old), _placement_rows(new)),
    ]


Row = Mapping[str, object]


def _rows(things: Mapping[str, object]) -> dict[str, Row]:
    return {key: _flatten(asdict(thing)) for key, thing in things.items()}  # type: ignore[call-overload]


def _placement_rows(register: Register) -> dict[str, Row]:
    return {_name(placement): _flatten(asdict(placement)) for placement in register.placements}


def _name(placement: Placement) -> str:
    return f"{placement.node} {placement.channel} at {placement.asset} from {placement.from_at.isoformat()}"


def _flatten(row: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _compare(kind: str, old: Mapping[str, Row], new: Mapping[str, Row]) -> Iterator[str]:
    for key in new:
        if key not in old:
            yield f"+ {kind} {key}"
        elif old[key] != new[key]:
            names = dict.fromkeys([*old[key], *new[key]])
            changed = [name for name in names if old[key].get(name) != new[key].get(name)]
            words = ", ".join(f"{name} {_say(old[key].get(name))} -> {_say(new[key].get(name))}" for name in changed)
            yield f"~ {kind} {key}: {words}"
    for key in old:
        if key not in new:
            yield f"- {kind} {key} (its history stays)" if kind in {"asset", "node"} else f"- {kind} {key}"


def _say(value: object) -> str:
    if value is None:
        return "nothing"
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)
