"""Reference decoder of packs: plain, strict, the oracle for faster ones."""

import json
import math
import re
import zlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from gateway.wire.errors import PackError
from gateway.wire.pack import DEFLATE, MAX_INFLATED_BYTES, MAX_PAYLOAD_BYTES
from gateway.wire.record import CHANNEL, MISSING, NODE

_NAME: Final = re.compile(f"({NODE.pattern}):({CHANNEL.pattern})")
_EARLIEST_S: Final = 2**28
"""RFC 8428 calls smaller times relative to now: a gateway never means that."""
_LATEST_S: Final = 2**33
_NOT_EVALUATED: Final = 2
_MEASURED: Final = (_NOT_EVALUATED, 3, 4)


class Run(NamedTuple):
    """Readings of one channel of one node as columns of one length.

    Attributes:
        node: its id.
        channel: name on the wire.
        at_ms: milliseconds since 1970 UTC, strictly increasing.
        value: in the channel's unit; None means tried and failed.
        q: 2 (not evaluated), 3, 4 or 9 each.
    """

    node: str
    channel: str
    at_ms: list[int]
    value: list[float | None]
    q: list[int]


@dataclass(slots=True)
class _Base:
    """Base fields, which hold until they are changed, and the points read under them."""

    name: str = ""
    time_s: float = 0.0
    value: float | None = None
    series: dict[tuple[str, str], dict[int, tuple[float | None, int]]] = field(default_factory=dict)


def decode_pack(payload: bytes, encoding: str) -> list[Run]:
    """Runs of a pack in the order in which their series first appear.

    Units and the channels' names are not compared with the catalogue here: the wire does not know it.

    Args:
        payload: the message body.
        encoding: "" or "deflate".

    Raises:
        PackError: with reason too_large, bad_encoding, not_utf8, not_json, not_senml, empty, must_understand, bad_name,
            bad_unit, bad_time, absurd_time, bad_value, bad_quality or conflict.
    """
    records = _read_json(_inflate(payload, encoding))
    base = _Base()
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise PackError("not_senml", f"record {index} is no object")
        _resolve(record, base, f"record {index}")
    return [_column(node, channel, points) for (node, channel), points in base.series.items()]


def _inflate(payload: bytes, encoding: str) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PackError("too_large", f"{len(payload)} bytes")
    if encoding == "":
        return payload
    if encoding != DEFLATE:
        raise PackError("bad_encoding", repr(encoding[:40]))
    inflator = zlib.decompressobj()
    try:
        plain = inflator.decompress(payload, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise PackError("bad_encoding", str(error)) from None
    if len(plain) > MAX_INFLATED_BYTES:
        raise PackError("too_large", f"more than {MAX_INFLATED_BYTES} bytes inflated")
    if not inflator.eof or inflator.unused_data:
        raise PackError("bad_encoding", "the zlib stream ends too early or too late")
    return plain


def _read_json(plain: bytes) -> list[object]:
    try:
        records = json.loads(plain.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise PackError("not_utf8", str(error)) from None
    except (ValueError, RecursionError) as error:
        raise PackError("not_json", str(error)) from None
    if not isinstance(records, list):
        raise PackError("not_senml", "the pack is no array")
    if not records:
        raise PackError("empty")
    return records


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _resolve(record: dict[str, object], base: _Base, where: str) -> None:
    for key in record:
        if key.endswith("_"):
            raise PackError("must_understand", f"{where}: {key[:40]!r}")
    base.name = _text(record, "bn", base.name, "bad_name", where)
    base.time_s = _number(record, "bt", base.time_s, "bad_time", where) or 0.0
    base.value = _number(record, "bv", base.value, "bad_value", where)
    for key in ("bu", "u"):
        _text(record, key, "", "bad_unit", where)
    name = base.name + _text(record, "n", "", "bad_name", where)
    found = _NAME.fullmatch(name)
    if found is None:
        raise PackError("bad_name", f"{where}: {name[:80]!r}")
    at_ms = _instant(base.time_s + (_number(record, "t", 0.0, "bad_time", where) or 0.0), where)
    point = _value(record, base.value, where)
    points = base.series.setdefault((found[1], found[2]), {})
    if points.setdefault(at_ms, point) != point:
        raise PackError("conflict", f"{where}: {name} has two values at {at_ms} ms")


def _instant(time_s: float, where: str) -> int:
    if not _EARLIEST_S <= time_s < _LATEST_S:
        raise PackError("absurd_time", f"{where}: {time_s!r} s")
    return round(time_s * 1000)


def _value(record: dict[str, object], base_value: float | None, where: str) -> tuple[float | None, int]:
    q = record.get("q", _NOT_EVALUATED)
    if isinstance(q, bool) or not isinstance(q, int) or q not in (*_MEASURED, MISSING):
        raise PackError("bad_quality", f"{where}: {q!r}")
    if "vs" in record:
        if record["vs"] != "" or q != MISSING or "v" in record:
            raise PackError("bad_value", f"{where}: only an empty text alone with q 9 is understood")
        return None, q
    value = _number(record, "v", None, "bad_value", where)
    if value is None and base_value is None:
        raise PackError("bad_value", f"{where}: no value")
    if q == MISSING:
        raise PackError("bad_quality", f"{where}: q 9 with a value")
    total = (value or 0.0) + (base_value or 0.0)
    if not math.isfinite(total):
        raise PackError("bad_value", f"{where}: not finite")
    return total, q


def _text(record: dict[str, object], key: str, default: str, reason: str, where: str) -> str:
    value = record.get(key, default)
    if not isinstance(value, str):
        raise PackError(reason, f"{where}: {key} is no text")
    return value


def _number(record: dict[str, object], key: str, default: float | None, reason: str, where: str) -> float | None:
    if key not in record:
        return default
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise PackError(reason, f"{where}: {key} is no finite number")
    return float(value)


def _column(node: str, channel: str, points: dict[int, tuple[float | None, int]]) -> Run:
    order = sorted(points)
    return Run(node, channel, order, [points[at][0] for at in order], [points[at][1] for at in order])
