"""Where in a TOML file each table and key stands, for messages that name the line."""

import re
from collections.abc import Sequence
from typing import Final

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z_][\w.-]*)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z_][\w-]*)\s*=")

Location = tuple[str | int, ...]


class TomlLines:
    """Line numbers by location, e.g. ("asset", 1, "tank", "full_m"); arrays of tables count from 0."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Location, int] = {}
        counts: dict[Location, int] = {}
        table: Location = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = _enter(header[2].split("."), counts, is_array=header[1] == "[[")
                self._lines.setdefault(table, number)
            elif key := _KEY.match(line):
                self._lines.setdefault((*table, key[1]), number)

    def find(self, location: Sequence[str | int]) -> int:
        """Line of `location`, or of the nearest table around it; 1 when even that is unknown."""
        for length in range(len(location), 0, -1):
            if found := self._lines.get(tuple(location[:length])):
                return found
        return 1


def _enter(names: list[str], counts: dict[Location, int], *, is_array: bool) -> Location:
    """Location of the table that a header opens."""
    location: Location = ()
    for name in names[:-1]:
        location = (*location, name)
        if location in counts:
            location = (*location, counts[location])
    location = (*location, names[-1])
    if is_array:
        counts[location] = counts.get(location, -1) + 1
        location = (*location, counts[location])
        for inner in [known for known in counts if known[: len(location)] == location]:
            del counts[inner]
    return location
