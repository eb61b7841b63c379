"""Find the line of a key in TOML text, for messages that say where to mend."""

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.fields import Place

_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER: Final = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?")
_LIST_HEADER: Final = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]\s*(?:#.*)?")
_PAIR: Final = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_NO_STRUCTURE: Final = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*""")


def map_lines(text: str) -> dict[Place, int]:
    """Line, counted from 1, of every section and key that starts a line of valid TOML."""
    found: dict[Place, int] = {}
    for place, number in _walk(text):
        for depth in range(1, len(place) + 1):
            found.setdefault(place[:depth], number)
    return found


def find_line(lines: dict[Place, int], place: Place) -> int:
    """Line of the place, or of the nearest thing around it; 1 if there is none."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _walk(text: str) -> Iterator[tuple[Place, int]]:
    section: Place = ()
    counts: dict[Place, int] = {}
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        if depth:
            depth += _depth(line)
        elif header := _LIST_HEADER.fullmatch(line):
            name = _split(header[1])
            counts[name] = counts.get(name, -1) + 1
            section = (*name, counts[name])
            yield section, number
        elif header := _HEADER.fullmatch(line):
            section = _split(header[1])
            yield section, number
        elif pair := _PAIR.match(line):
            depth = _depth(pair[2])
            yield (*section, *_split(pair[1])), number


def _depth(text: str) -> int:
    bare = _NO_STRUCTURE.sub("", text)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")


def _split(dotted: str) -> Place:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))
