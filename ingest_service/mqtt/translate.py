"""What comes over the wire as what the services understand; the one importer of `gateway.wire`.

Packs are decoded by msgspec, which takes a fraction of the time of the reference decoder. Whatever is not plain and
common (an error, an escape, times out of order) goes to the reference decoder, which then says what it is.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway import wire
from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.services.ports import Heartbeat
from ingest_service.services.record import Arrived

PackError = wire.PackError
TopicError = wire.TopicError
WireError = wire.WireError
Run = wire.Run

MAX_PAYLOAD_BYTES: Final = wire.MAX_PAYLOAD_BYTES
DATA_FILTER: Final = wire.build_filter("data")
STATUS_FILTER: Final = wire.build_filter("status")

_ABSENT: Final = msgspec.UNSET
_NAME: Final = re.compile(r"([A-Z0-9_-]{1,8}):([a-z][a-z0-9_]{0,47})")
_NOT_EVALUATED, _FAIL, _MISSING = 2, 4, 9
_MAX_NUMBER: Final = 1e300
_EARLIEST_S: Final = 2**28
_LATEST_S: Final = 2**33
_ZLIB_BYTE: Final = 0x78


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A SenML record as sent."""

    bn: str | msgspec.UnsetType = _ABSENT
    bt: float | msgspec.UnsetType = _ABSENT
    bu: str | msgspec.UnsetType = _ABSENT
    bv: float | msgspec.UnsetType = _ABSENT
    n: str = ""
    t: float = 0.0
    u: str | msgspec.UnsetType = _ABSENT
    v: float | msgspec.UnsetType = _ABSENT
    vs: str | msgspec.UnsetType = _ABSENT
    q: int = _NOT_EVALUATED


_decode_records: Final = msgspec.json.Decoder(list[_Record]).decode


class _Odd(Exception):  # noqa: N818 - no error: the reference decoder is to look at it
    """Not plain enough for the fast decoder."""


class _Series:
    """Columns of one channel while a pack is read."""

    __slots__ = ("at_ms", "channel", "last_ms", "node", "q", "unit", "value")

    def __init__(self, name: str) -> None:
        self.node, self.channel, self.unit = _split_name(name)
        self.at_ms: list[int] = []
        self.value: list[float | None] = []
        self.q: list[int] = []
        self.last_ms = 0

    def add(self, time_s: float, record: _Record, base_value: float | None) -> None:
        if not _EARLIEST_S <= time_s < _LATEST_S:
            raise _Odd
        at_ms = round(time_s * 1000)
        if at_ms <= self.last_ms:
            raise _Odd
        value, q = record.v, record.q
        if value is not _ABSENT:
            if record.vs is not _ABSENT or not _NOT_EVALUATED <= q <= _FAIL or not -_MAX_NUMBER < value < _MAX_NUMBER:
                raise _Odd
            self.value.append(value + (base_value or 0.0))
        elif record.vs == "" and q == _MISSING:
            self.value.append(None)
        else:
            raise _Odd
        self.at_ms.append(at_ms)
        self.q.append(q)
        self.last_ms = at_ms


def decode_pack(payload: bytes, encoding: str) -> list[Run]:
    """Runs of a pack in the order in which their series first appear.

    Args:
        payload: the message body.
        encoding: "", "deflate", or anything else that a sender may have claimed.

    Raises:
        PackError: the pack is refused as a whole; with the reasons of `wire.decode_pack`, or bad_unit for a unit that
            is not the catalogue's.
    """
    try:
        return _resolve(_decode_records(_inflate(payload, encoding)))
    except (_Odd, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        runs = wire.decode_pack(payload, encoding)
        _check_units(json.loads(_inflate(payload, encoding)))
        return runs


def read_runs(gateway: str, payload: bytes, encoding: str) -> list[Arrived]:
    """What a gateway's pack brought; PackError if the pack is refused as a whole."""
    return [
        Arrived(f"{gateway}/{run.node}", run.channel, run.at_ms, run.value, run.q)
        for run in decode_pack(payload, encoding)
    ]


def guess_encoding(payload: bytes) -> str:
    """How a kept payload is coded: no JSON text begins as a zlib stream does."""
    return wire.DEFLATE if payload[:1] == bytes([_ZLIB_BYTE]) else ""


def read_gateway(topic: str) -> str:
    """Gateway of a data or status topic; TopicError if it is none."""
    parsed = wire.parse_topic(topic)
    if parsed.kind not in {"data", "status"}:
        raise TopicError("bad_topic", repr(topic[:80]))
    return parsed.gateway


def build_answer_topic(gateway: str) -> str:
    """The only topic on which that gateway is answered."""
    return wire.build_topic(gateway, "ack")


def encode_answer(ok: Sequence[str], rejected: Mapping[str, str]) -> bytes:
    """Body of an answer for any number of packs of one gateway."""
    return wire.encode_answer(ok, rejected)


def decode_heartbeat(gateway: str, payload: bytes, received_ms: int) -> Heartbeat:
    """What a gateway said about itself; WireError if it cannot be understood.

    A will has no instant of its own and takes `received_ms`.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError("too_large", f"{len(payload)} bytes")
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("not_json", str(error)) from None
    if not isinstance(body, dict) or not isinstance(body.get("online"), bool):
        raise WireError("bad_heartbeat", "no object with online true or false")
    at_s = body.get("at", received_ms / 1000)
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 <= at_s < _LATEST_S:
        raise WireError("bad_heartbeat", f"at is {str(at_s)[:40]}")
    return Heartbeat(gateway, round(at_s * 1000), received_ms, body["online"], body)


def _inflate(payload: bytes, encoding: str) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise _Odd
    if encoding == wire.DEFLATE:
        inflator = zlib.decompressobj()
        try:
            plain = inflator.decompress(payload, wire.MAX_INFLATED_BYTES + 1)
        except zlib.error:
            raise _Odd from None
        if len(plain) > wire.MAX_INFLATED_BYTES or not inflator.eof or inflator.unused_data:
            raise _Odd
    elif encoding == "":
        plain = payload
    else:
        raise _Odd
    return plain


def _resolve(records: list[_Record]) -> list[Run]:
    """Apply the base fields of RFC 8428; `_Odd` for all that is not in order."""
    if not records:
        raise _Odd
    base_name, suffix, base_s, base_value, base_unit = "", "", 0.0, None, None
    all_series: dict[str, _Series] = {}
    series: _Series | None = None
    for record in records:
        if record.bn is not _ABSENT:
            base_name, series = record.bn, None
        if record.bt is not _ABSENT:
            base_s = record.bt
        if record.bu is not _ABSENT:
            base_unit = record.bu
        if record.bv is not _ABSENT:
            base_value = _check_number(record.bv)
        if series is None or record.n != suffix:
            suffix = record.n
            name = base_name + suffix
            series = all_series.get(name)
            if series is None:
                series = all_series[name] = _Series(name)
        unit = base_unit if record.u is _ABSENT else record.u
        if unit is not None and unit != series.unit:
            _refuse_unit(series.node, series.channel, unit)
        series.add(base_s + record.t, record, base_value)
    return [Run(found.node, found.channel, found.at_ms, found.value, found.q) for found in all_series.values()]


def _check_number(number: float) -> float:
    if not -_MAX_NUMBER < number < _MAX_NUMBER:
        raise _Odd
    return number


@lru_cache(maxsize=4096)
def _split_name(name: str) -> tuple[str, str, str | None]:
    """Node, channel and the unit that the catalogue asks of it, None for a channel that it does not know."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise _Odd
    node, channel = found.groups()
    quantity = QUANTITIES.get(channel) or QUANTITIES.get(channel.rstrip("23456789"))
    return node, channel, None if quantity is None else quantity.senml_unit


def _refuse_unit(node: str, channel: str, unit: str) -> None:
    expected = _split_name(f"{node}:{channel}")[2]
    if expected is not None and unit != expected:
        raise PackError("bad_unit", f"{node}:{channel} in {unit[:20]!r}, expected {expected!r}")


def _check_units(records: list[dict[str, Any]]) -> None:
    """Compare the units of a pack that the reference decoder has accepted with the catalogue's."""
    base_name, base_unit = "", None
    for record in records:
        base_name = record.get("bn", base_name)
        base_unit = record.get("bu", base_unit)
        unit = record.get("u", base_unit)
        if unit is not None:
            node, _, channel = (base_name + record.get("n", "")).partition(":")
            _refuse_unit(node, channel, unit)
