"""Observations as InfluxDB line protocol."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

from ingest_service.services.ports import Points, Qc, SeriesKey
from ingest_service.storage import schema


class Label(NamedTuple):
    """What is known of an asset beside its key; "" where it is unknown."""

    place: str
    kind: str


Labels = Callable[[], Mapping[str, Label]]
"""Labels by asset. Each call returns the same object until something changed."""

UNKNOWN: Final = Label("", "")

# Line protocol cannot write a backslash before a comma, nor any line break: these are written as in addresses.
_UNWRITABLE: Final = str.maketrans({"%": "%25", "\\": "%5C", "\n": "%0A", "\r": "%0D", "\t": "%09"})
_ESCAPED: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


def write_tag(value: str) -> str:
    """A tag's value as it is stored; it holds no backslash and no line break."""
    return value.translate(_UNWRITABLE)


def read_tag(stored: str) -> str:
    """The opposite of `write_tag`."""
    return unquote(stored)


def pack_qc(value: float | None, qc: int) -> int:
    """Code to be stored, which tells by itself whether there is a value."""
    return qc if (value is None) == (qc == Qc.MISSING) else qc + schema.QC_ODD


def unpack(value: float | None, stored_qc: int) -> tuple[float | None, int]:
    """Value and code of an observation from what is stored; the opposite of `pack_qc`."""
    if stored_qc >= schema.QC_ODD:
        qc = stored_qc - schema.QC_ODD
        return (value if qc == Qc.MISSING else None), qc
    return (None if stored_qc == Qc.MISSING else value), stored_qc


def build_prefix(key: SeriesKey, label: Label) -> str:
    """Measurement and tags of a series, up to its first field."""
    tags = {
        schema.TAG_ASSET: key.asset,
        schema.TAG_KIND: label.kind,
        schema.TAG_PLACE: label.place,
        schema.TAG_QUANTITY: key.quantity,
    }
    written = [f",{name}={write_tag(value).translate(_ESCAPED)}" for name, value in sorted(tags.items()) if value]
    return f"{schema.MEASUREMENT}{''.join(written)} "


class LineWriter:
    """Renders runs of points; the prefix of a series is kept until the labels change."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._known: Mapping[str, Label] = {}
        self._prefixes: dict[SeriesKey, str] = {}

    def render(self, runs: Iterable[Points]) -> bytes:
        """One line a point, instants in milliseconds."""
        known = self._labels()
        if known is not self._known:
            self._known, self._prefixes = known, {}
        lines: list[str] = []
        for run in runs:
            prefix = self._prefixes.get(run.key)
            if prefix is None:
                label = known.get(run.key.asset, UNKNOWN)
                prefix = self._prefixes[run.key] = build_prefix(run.key, label)
            lines += _render_run(prefix, run)
        return "\n".join(lines).encode()


def _render_run(prefix: str, run: Points) -> list[str]:
    whole = f"{prefix}{schema.FIELD_VALUE}="
    return [
        f"{whole}{value},{schema.FIELD_QC}={qc}i {at_ms}"
        if value is not None and qc != Qc.MISSING
        else _render_odd(prefix, at_ms, value, qc)
        for at_ms, value, qc in zip(run.at_ms, run.value, run.qc, strict=True)
    ]


def _render_odd(prefix: str, at_ms: int, value: float | None, qc: int) -> str:
    first = "" if value is None else f"{schema.FIELD_VALUE}={value},"
    return f"{prefix}{first}{schema.FIELD_QC}={pack_qc(value, qc)}i {at_ms}"


def cut(batch: Sequence[Points], most: int) -> Iterator[list[Points]]:
    """The points of a batch in order, in pieces of at most `most`."""
    piece: list[Points] = []
    room = most
    for run in batch:
        first = 0
        while first < len(run.at_ms):
            end = min(first + room, len(run.at_ms))
            piece.append(run if end - first == len(run.at_ms) else part(run, first, end))
            room -= end - first
            first = end
            if not room:
                yield piece
                piece, room = [], most
    if piece:
        yield piece


def part(run: Points, first: int, end: int) -> Points:
    """The points of a run from one index up to another."""
    return Points(run.key, run.at_ms[first:end], run.value[first:end], run.qc[first:end])


def halve(piece: list[Points]) -> tuple[list[Points], list[Points]] | None:
    """A piece in two, by series first, then by instants; None for a single point."""
    if len(piece) > 1:
        middle = len(piece) // 2
        return piece[:middle], piece[middle:]
    [run] = piece
    middle = len(run.at_ms) // 2
    return ([part(run, 0, middle)], [part(run, middle, len(run.at_ms))]) if middle else None
