"""Packs: readings of one or many frames as SenML JSON (RFC 8428), small enough for a thin link.

One frame is a live pack, readable as it goes by. Several are a backlog pack, grouped by series so that it compresses to
a few bytes a reading. A channel's unit is part of its name; a backlog pack says it once a series in SenML's words too.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gateway.wire.record import MISSING, SUSPECT, Reading, decode_record, render_number

CONTENT_TYPE: Final = "application/senml+json"
DEFLATE: Final = "deflate"
MAX_PAYLOAD_BYTES: Final = 256 * 1024
MAX_INFLATED_BYTES: Final = 4 * 1024 * 1024
MAX_READINGS: Final = 500
"""Most readings that a gateway puts into one pack."""

_COMPRESS_FROM_BYTES: Final = 400
_UNITS: Final = {"m": "m", "lpm": "l/min", "l": "l", "bar": "bar", "c": "Cel", "v": "V", "pct": "%"}

Entry = tuple[int, bool, bytes]
"""(at_ms, believed, body of `encode_record`)."""
_Point = tuple[int, float | None, int | None]


class Pack(NamedTuple):
    """A message body and how it is coded: "" as it is, "deflate" zlib-compressed."""

    payload: bytes
    encoding: str


def build_pack(entries: Sequence[Entry]) -> Pack:
    """The pack of one or more frames.

    Readings of a frame whose instant is not believed are marked suspect (QC at least 3). Where two frames of one node
    bear the same instant, the later one stands, as it would in the store.

    Args:
        entries: at least one; at_ms in milliseconds since 1970 UTC.

    Raises:
        PackError: a body that `encode_record` cannot have made.
    """
    text = _render_live(entries[0]) if len(entries) == 1 else _render_backlog(entries)
    plain = f"[{text}]".encode()
    if len(plain) >= _COMPRESS_FROM_BYTES:
        small = zlib.compress(plain, 9)
        if len(small) < len(plain):
            return Pack(small, DEFLATE)
    return Pack(plain, "")


def find_unit(channel: str) -> str:
    """SenML unit that a channel's name ends in; "" for a bare number."""
    return _UNITS.get(channel.rstrip("23456789").rpartition("_")[2], "")


def _render_live(entry: Entry) -> str:
    at_ms, believed, body = entry
    node, readings = decode_record(body)
    head = f'"bn":"{node}:","bt":{_render_seconds(at_ms)},'
    records = []
    for reading in readings:
        records.append(f'{{{head}"n":"{reading.channel}",{_render_value(reading.value, _judge(reading, believed))}}}')
        head = ""
    return ",".join(records)


def _render_backlog(entries: Sequence[Entry]) -> str:
    groups: dict[tuple[str, str], dict[int, _Point]] = {}
    for at_ms, believed, body in entries:
        node, readings = decode_record(body)
        for reading in readings:
            point = (at_ms, reading.value, _judge(reading, believed))
            groups.setdefault((node, reading.channel), {})[at_ms] = point
    base_ms = min(at_ms for at_ms, _, _ in entries)
    return ",".join(_render_groups(groups, base_ms))


def _render_groups(groups: dict[tuple[str, str], dict[int, _Point]], base_ms: int) -> Iterator[str]:
    time = f'"bt":{_render_seconds(base_ms)},'
    unit = ""
    for (node, channel), points in sorted(groups.items()):
        head = f'"bn":"{node}:{channel}",{time}'
        if find_unit(channel) != unit:
            unit = find_unit(channel)
            head += f'"bu":"{unit}",'
        for at_ms, value, q in sorted(points.values()):
            offset = f'"t":{_render_seconds(at_ms - base_ms)},' if at_ms != base_ms else ""
            yield f"{{{head}{offset}{_render_value(value, q)}}}"
            head = time = ""


def _judge(reading: Reading, believed: bool) -> int | None:  # noqa: FBT001 - a fact of the entry, not a switch
    if reading.value is None:
        return MISSING
    return reading.q if believed else max(reading.q or 0, SUSPECT)


def _render_value(value: float | None, q: int | None) -> str:
    if value is None:
        return f'"vs":"","q":{MISSING}'
    return f'"v":{render_number(value)}' + (f',"q":{q}' if q else "")


def _render_seconds(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds}.{rest:03d}".rstrip("0") if rest else str(seconds)
