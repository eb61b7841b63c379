"""Read a table into a dataclass by its annotations; every fault is collected, none ends the reading.

Not pydantic: it would take 14 of the gateway's 45 MB (docs/adr), and its words would have to be translated anyway.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Place = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""

_WORDS: Final[Mapping[object, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: 'text in quotes: "..."',
    Path: 'a path in quotes: "/..."',
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, at one place."""

    place: Place
    words: str


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both inclusive."""

    low: float
    high: float

    def refuse(self, value: object) -> str:
        """Why `value` cannot stand, "" if it can."""
        inside = isinstance(value, int | float) and self.low <= value <= self.high
        return "" if inside else f"must be from {_plain(self.low)} to {_plain(self.high)}, not {value}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few values."""

    values: tuple[int, ...]

    def __init__(self, *values: int) -> None:
        object.__setattr__(self, "values", values)

    def refuse(self, value: object) -> str:
        """Why `value` cannot stand, "" if it can."""
        return "" if value in self.values else f"must be one of {', '.join(map(str, self.values))}, not {value}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text that matches `regex` as a whole; `words` says the same to people."""

    regex: str
    words: str

    def refuse(self, value: object) -> str:
        """Why `value` cannot stand, "" if it can."""
        return "" if re.fullmatch(self.regex, str(value)) else f'must be {self.words}, not "{value}"'


@dataclass(frozen=True, slots=True)
class Key:
    """Name in the file, where it differs from the attribute's."""

    name: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys of a table must look like."""

    pattern: Pattern


def list_fields(kind: type) -> dict[str, tuple[str, object]]:
    """Attribute and annotation of each key that a table of this kind may have."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in dataclasses.fields(kind):
        extras = get_args(hints[field.name])[1:] if get_origin(hints[field.name]) is Annotated else ()
        key = next((extra.name for extra in extras if isinstance(extra, Key)), field.name)
        found[key] = (field.name, hints[field.name])
    return found


def read_table(kind: type[T], value: object, place: Place, problems: list[Problem]) -> T | None:
    """A `kind` from a parsed table; None, and at least one problem more, if it cannot be."""
    if not isinstance(value, Mapping):
        problems.append(Problem(place, f"must be a section: [{'.'.join(map(str, place))}]"))
        return None
    known = list_fields(kind)
    strange = [key for key in value if key not in known]
    problems.extend(Problem((*place, key), f'"{key}" is not known here; {_suggest(key, known)}') for key in strange)
    before = len(problems)
    given = {}
    for key, (name, annotation) in known.items():
        if key in value:
            given[name] = read_value(annotation, value[key], (*place, key), problems)
        elif _is_needed(kind, name):
            problems.append(Problem(place, f'"{key}" is missing; add the line {key} = ...'))
    if len(problems) > before:
        return None
    made = kind(**given)
    faults = getattr(made, "faults", tuple)
    problems.extend(Problem((*place, key), words) for key, words in faults())
    return made


def read_value(annotation: object, value: object, place: Place, problems: list[Problem]) -> object:
    """`value` as the annotation wants it; None, and at least one problem more, if it cannot be."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        before = len(problems)
        found = _read_keyed(inner, extras, value, place, problems)
        if len(problems) == before:
            reasons = [extra.refuse(found) for extra in extras if isinstance(extra, Range | OneOf | Pattern)]
            problems.extend(Problem(place, words) for words in reasons if words)
        return found
    if get_origin(annotation) in (Union, UnionType):
        present = next(part for part in get_args(annotation) if part is not NoneType)
        return read_value(present, value, place, problems)
    if get_origin(annotation) is tuple:
        return _read_list(get_args(annotation), value, place, problems)
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        if value not in choices:
            problems.append(Problem(place, f'must be one of {", ".join(choices)}, not "{value}"'))
        return value
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return read_table(annotation, value, place, problems)
    return _read_scalar(annotation, value, place, problems)


def _read_keyed(inner: object, extras: list[object], value: object, place: Place, problems: list[Problem]) -> object:
    if get_origin(inner) is not dict:
        return read_value(inner, value, place, problems)
    if not isinstance(value, Mapping):
        problems.append(Problem(place, f"must be sections: [{'.'.join(map(str, place))}.NAME]"))
        return None
    pattern = next(extra.pattern for extra in extras if isinstance(extra, Keys))
    for key in value:
        words = pattern.refuse(key)
        if words:
            problems.append(Problem((*place, key), words))
    kind = get_args(inner)[1]
    return {key: read_table(kind, part, (*place, key), problems) for key, part in value.items()}


def _read_list(parts: tuple[object, ...], value: object, place: Place, problems: list[Problem]) -> object:
    if not isinstance(value, list):
        problems.append(Problem(place, "must be a list: [...]"))
        return None
    if parts[-1] is ...:
        return tuple(read_value(parts[0], item, (*place, index), problems) for index, item in enumerate(value))
    if len(value) != len(parts):
        problems.append(Problem(place, f"must hold {len(parts)} values: {value}"))
        return None
    pairs = zip(parts, value, strict=True)
    return tuple(read_value(part, item, (*place, index), problems) for index, (part, item) in enumerate(pairs))


def _read_scalar(kind: object, value: object, place: Place, problems: list[Problem]) -> object:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    if type(value) is kind and kind is not float:
        return value
    problems.append(Problem(place, f"must be {_WORDS[kind]}, not {_show(value)}"))
    return None


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else repr(number)


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _is_needed(kind: type, name: str) -> bool:
    field = kind.__dataclass_fields__[name]  # type: ignore[attr-defined]  # only dataclasses come here
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _suggest(key: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known are {', '.join(known)}"
