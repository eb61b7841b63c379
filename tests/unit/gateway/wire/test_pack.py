"""Packs against the golden vectors, and built ones against the reference decoder."""

import contextlib
import json
import math
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import (
    DEFLATE,
    MAX_PAYLOAD_BYTES,
    Pack,
    PackError,
    Reading,
    build_pack,
    decode_pack,
    encode_record,
)
from gateway.wire.pack import find_unit
from ingest_service.domain.catalogue import QUANTITIES

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "pack.json").read_text())


def read_payload(case: dict[str, Any]) -> bytes:
    payload = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode() * case.get("times", 1)
    return zlib.decompress(payload) if case.get("wrapped") else payload


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@named(VECTORS["built"])
def test_builds_the_golden_bytes(case: dict[str, Any]) -> None:
    entries = [
        (at_ms, believed, encode_record(node, [Reading(*reading) for reading in readings]))
        for at_ms, believed, node, readings in case["entries"]
    ]
    pack = build_pack(entries)
    text = zlib.decompress(pack.payload) if pack.encoding else pack.payload
    assert (text.decode(), pack.encoding) == (case["text"], case["encoding"])
    assert [list(run) for run in decode_pack(*pack)] == case["runs"]


@named(VECTORS["good"])
def test_reads_the_golden_meaning(case: dict[str, Any]) -> None:
    assert [list(run) for run in decode_pack(read_payload(case), case["encoding"])] == case["runs"]


@named(VECTORS["bad"])
def test_refuses_for_the_golden_reason(case: dict[str, Any]) -> None:
    with pytest.raises(PackError) as caught:
        decode_pack(read_payload(case), case["encoding"])
    assert caught.value.reason == case["reason"]


measured = [key for key, row in QUANTITIES.items() if not row.derived and not row.sent_as]
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200)
readings = st.builds(
    lambda channel, value, q: Reading(channel, value, q if value is not None else None),
    st.sampled_from([*measured, "distance_m2", "head_m9", "strange"]),
    st.none() | numbers,
    st.sampled_from([None, 3, 4]),
)
frames = st.tuples(
    st.integers(2**28 * 1000, 2**33 * 1000 - 1),
    st.booleans(),
    st.from_regex(r"[A-Z0-9_-]{1,8}", fullmatch=True),
    st.lists(readings, min_size=1, max_size=5, unique_by=lambda reading: reading.channel),
)


@given(st.lists(frames, min_size=1, max_size=8))
def test_what_is_built_reads_back_exactly(given_frames: list[tuple[int, bool, str, list[Reading]]]) -> None:
    expected = {}
    for at_ms, believed, node, items in given_frames:
        for channel, value, q in items:
            code = 9 if value is None else q or 2
            expected[node, channel, at_ms] = (value, code if believed or value is None else max(code, 3))
    pack = build_pack([(at_ms, believed, encode_record(node, items)) for at_ms, believed, node, items in given_frames])
    found = {
        (run.node, run.channel, at_ms): (value, q)
        for run in decode_pack(*pack)
        for at_ms, value, q in zip(run.at_ms, run.value, run.q, strict=True)
    }
    assert found == expected


@given(st.binary(max_size=200), st.sampled_from(["", DEFLATE, "x"]))
def test_any_bytes_are_read_or_refused(payload: bytes, encoding: str) -> None:
    with contextlib.suppress(PackError):
        decode_pack(payload, encoding)


@given(st.data())
def test_a_pack_damaged_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    payload = bytearray(VECTORS["built"][0]["text"].encode())
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        runs = decode_pack(bytes(payload), "")
    except PackError:
        return
    assert all(math.isfinite(value) for run in runs for value in run.value if value is not None)


def test_units_are_those_of_the_catalogue() -> None:
    assert {key: find_unit(key) for key in measured} == {key: QUANTITIES[key].senml_unit for key in measured}
    assert find_unit("distance_m2") == "m"
    assert find_unit("strange") == ""


def test_a_full_backlog_pack_stays_far_below_the_limit() -> None:
    items = [Reading(f"temperature_c{i}" if i > 1 else "temperature_c", -12345.678901 * i, 4) for i in range(1, 6)]
    pack = build_pack([(1793491200123 + i, False, encode_record("T0123456", items)) for i in range(100)])
    assert len(zlib.decompress(pack.payload)) < MAX_PAYLOAD_BYTES / 4


@pytest.mark.parametrize(
    ("node", "reading"),
    [
        ("t01", Reading("head_m", 1.0)),
        ("T01234567", Reading("head_m", 1.0)),
        ("T01", Reading("Head", 1.0)),
        ("T01", Reading("head_m=", 1.0)),
        ("T01", Reading("head_m", math.nan)),
        ("T01", Reading("head_m", math.inf)),
        ("T01", Reading("head_m", 1.0, 9)),
        ("T01", Reading("head_m", 1.0, 1)),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_at_once(node: str, reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"T0|t01|ead"):
        encode_record(node, [reading])


def test_a_damaged_record_is_no_pack() -> None:
    with pytest.raises(PackError, match="bad_record"):
        build_pack([(1793491200123, True, b"T01 head_m=1.x")])


def test_small_packs_stay_readable() -> None:
    assert build_pack([(1793491200123, True, encode_record("T01", [Reading("head_m", 1.0)]))]) == Pack(
        b'[{"bn":"T01:","bt":1793491200.123,"n":"head_m","v":1}]', ""
    )
