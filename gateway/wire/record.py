"""One frame's readings as a line of bytes without time: what the spool keeps.

    T01 distance_m=1.234 flow_lpm=3.2;3 head_m=

The node, then each channel with its value; nothing behind `=` means tried and failed; `;` leads a QC code.
"""

import math
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.wire.errors import PackError

SUSPECT: Final = 3
MISSING: Final = 9
MEASURED_QC: Final = (None, 3, 4)
"""QC codes a gateway may give to a number; None means not evaluated."""

NODE: Final = re.compile(r"[A-Z0-9_-]{1,8}")
CHANNEL: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


class Reading(NamedTuple):
    """What one probe said.

    Attributes:
        channel: catalogue key, with a digit 2 to 9 behind it for a second probe of the kind.
        value: in the channel's unit; None means tried and failed.
        q: QC code 3 or 4, None for not evaluated; of a None value it is always 9.
    """

    channel: str
    value: float | None
    q: int | None = None


def render_number(value: float) -> str:
    """Shortest decimal that reads back as the same float; whole numbers without a point."""
    whole = int(value)
    return str(whole) if whole == value and abs(whole) < 10**15 else repr(value)


def encode_record(node: str, readings: Sequence[Reading]) -> bytes:
    """Body of one frame; ValueError for a name, number or code that the wire cannot carry."""
    if not NODE.fullmatch(node):
        raise ValueError(f"node id {node!r} is not 1 to 8 of A-Z, 0-9, _ and -")
    return " ".join([node, *map(_encode_reading, readings)]).encode()


def _encode_reading(reading: Reading) -> str:
    channel, value, q = reading
    if not CHANNEL.fullmatch(channel):
        raise ValueError(f"channel {channel!r} is not a catalogue key")
    if value is None:
        return f"{channel}="
    if not math.isfinite(value) or q not in MEASURED_QC:
        raise ValueError(f"{channel}: value {value!r} with QC {q!r} cannot be sent")
    return f"{channel}={render_number(value)}" + (f";{q}" if q else "")


def decode_record(body: bytes) -> tuple[str, list[Reading]]:
    """Node and readings of a body; PackError for bytes that `encode_record` cannot have made."""
    try:
        node, *items = body.decode("ascii").split(" ")
        return node, [_decode_reading(item) for item in items]
    except ValueError as error:
        raise PackError("bad_record", f"{body[:80]!r}: {error}") from None


def _decode_reading(item: str) -> Reading:
    channel, _, rest = item.partition("=")
    number, _, code = rest.partition(";")
    if not number:
        return Reading(channel, None, MISSING)
    return Reading(channel, float(number), int(code) if code else None)
