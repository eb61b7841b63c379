"""The fast decoder says what the reference decoder says, on golden packs and on whatever else may come."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import wire
from ingest_service.mqtt import translate
from ingest_service.mqtt.translate import PackError, TopicError, WireError

VECTORS = Path(__file__).parents[3] / "vectors" / "pack.json"


def say(decode: object, payload: bytes, encoding: str) -> object:
    """Runs, or the reason of the refusal."""
    try:
        return repr(decode(payload, encoding))  # type: ignore[operator]  # repr tells -0.0 from 0.0
    except PackError as error:
        return error.reason


def agree(payload: bytes, encoding: str = "") -> object:
    expected = say(wire.decode_pack, payload, encoding)
    assert say(translate.decode_pack, payload, encoding) == expected
    return expected


NAMES = st.sampled_from(["T01:", "T01:flow_lpm", "T01:distance_m2", "", "t:", "X:y", "T01:\u1ebf"])
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(), st.sampled_from([0, -0.0, 1e300, -1e300, 1e308, True, None, "1"])
)
TIMES = st.one_of(NUMBERS, st.floats(1.6e9, 1.9e9), st.integers(-10, 10), st.integers(1_700_000_000, 1_700_000_009))
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "bn": NAMES,
        "bt": TIMES,
        "n": st.sampled_from(["flow_lpm", "distance_m", "head_m", "\\u0041", "flow_lpm_", ""]),
        "bv": NUMBERS,
        "t": TIMES,
        "v": NUMBERS,
        "vs": st.sampled_from(["", "x", 0]),
        "q": st.sampled_from([2, 3, 4, 9, 1, 0, 9.0, 3.5, "3", True, None]),
        "x_": st.just(1),
        "new": st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=3),
    },
)
PLAIN = st.fixed_dictionaries(
    {"n": st.sampled_from(["flow_lpm", "head_m"]), "t": st.integers(0, 40), "v": st.floats(-9, 99)},
    optional={"q": st.sampled_from([2, 3, 4]), "bv": st.floats(-5, 5), "bt": st.floats(1.7e9, 1.7001e9)},
)


@settings(max_examples=400, deadline=None)
@given(st.lists(RECORDS, max_size=5))
def test_any_records_are_read_as_the_reference_reads_them(records: list[object]) -> None:
    agree(json.dumps(records).encode())


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=12))
def test_good_records_are_read_as_the_reference_reads_them(records: list[dict[str, object]]) -> None:
    records[0] |= {"bn": "T01:", "bt": 1_700_000_000.25}
    agree(json.dumps(records).encode())
    agree(zlib.compress(json.dumps(records).encode()), "deflate")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_as_the_reference_refuses_them(payload: bytes) -> None:
    agree(payload)
    agree(payload, "deflate")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 200), st.binary(max_size=3))
def test_a_damaged_pack_is_read_as_the_reference_reads_it(position: int, damage: bytes) -> None:
    good = b'[{"bn":"T01:","bt":1700000000.5,"n":"flow_lpm","v":1.5},{"n":"head_m","vs":"","q":9}]'
    agree(good[:position] + damage + good[position + 1 :])
    small = zlib.compress(good)
    agree(small[:position] + damage + small[position + 1 :], "deflate")


GOLDEN = json.loads(VECTORS.read_text())


@pytest.mark.parametrize("case", GOLDEN["built"] + GOLDEN["good"] + GOLDEN["bad"], ids=lambda case: case["name"])
def test_golden_packs_mean_what_they_always_meant(case: dict[str, Any]) -> None:
    payload = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode() * case.get("times", 1)
    if case.get("wrapped"):
        payload = zlib.decompress(payload)
    elif "entries" in case and case["encoding"]:
        payload = zlib.compress(payload)
    try:
        runs: object = [list(run) for run in translate.decode_pack(payload, case["encoding"])]
    except PackError as error:
        runs = error.reason
    assert runs == case.get("runs", case.get("reason"))


@pytest.mark.parametrize(
    ("payload", "encoding", "reason"),
    [
        (b"[" * 100_000, "", "not_json"),
        (b'[{"n":' + b"[" * 100_000, "", "not_json"),
        (b"\xff\xfe[]", "", "not_utf8"),
        (b'[{"bn":"T01:","bt":NaN}]', "", "not_json"),
        (b"[]", "", "empty"),
        (b"{}", "", "not_senml"),
        (b"x" * (translate.MAX_PAYLOAD_BYTES + 1), "", "too_large"),
        (zlib.compress(b" " * (wire.MAX_INFLATED_BYTES + 1)), "deflate", "too_large"),
        (b"[]", "deflate", "bad_encoding"),
        (b"[]", "gzip", "bad_encoding"),
        (b'[{"n":"T01:flow_lpm","t":12,"v":1}]', "", "absurd_time"),
        (b'[{"n":"T01:flow_lpm","bt":1700000000,"v":1e999}]', "", "bad_value"),
    ],
)
def test_hostile_packs_are_refused_with_their_reason(payload: bytes, encoding: str, reason: str) -> None:
    assert agree(payload, encoding) == reason


@pytest.mark.parametrize("odd", ["", ',"future":1'])
def test_a_unit_that_is_not_the_catalogues_is_refused(odd: str) -> None:
    pack = f'[{{"bn":"T01:","bt":1700000000,"n":"flow_lpm2","u":"m3/h","v":1{odd}}}]'.encode()
    with pytest.raises(PackError, match="bad_unit: T01:flow_lpm2 in 'm3/h', expected 'l/min'"):
        translate.decode_pack(pack, "")
    base = f'[{{"bn":"T01:","bu":"m","bt":1700000000,"n":"flow_lpm","u":"l/min","v":1{odd}}},{{"n":"head_m","v":1}}]'
    assert [run.channel for run in translate.decode_pack(base.encode(), "")] == ["flow_lpm", "head_m"]
    unknown = pack.replace(b"flow_lpm2", b"novelty_x")
    assert translate.decode_pack(unknown, "")[0].channel == "novelty_x"


def test_only_data_and_status_topics_have_a_gateway() -> None:
    assert translate.read_gateway("monuoc/v1/lung-sau/data") == "lung-sau"
    assert translate.build_answer_topic("lung-sau") == "monuoc/v1/lung-sau/ack"
    for topic in (
        "monuoc/v1/lung-sau/ack",
        "monuoc/v1/../data",
        "monuoc/v1/A/data",
        "monuoc/v1/a\0/data",
        "$SYS/data",
        "",
    ):
        with pytest.raises(TopicError):
            translate.read_gateway(topic)


def test_a_kept_payload_tells_how_it_was_coded() -> None:
    pack = b'[{"bn":"T01:","bt":1700000000,"n":"head_m","v":1}]'
    assert translate.guess_encoding(pack) == ""
    for level in range(10):
        assert translate.guess_encoding(zlib.compress(pack, level)) == "deflate"


def test_a_heartbeat_says_when_and_whether_online() -> None:
    beat = translate.decode_heartbeat("g", b'{"v":1,"online":true,"at":1700000000.5,"spool":{"depth":3}}', 7)
    assert (beat.at_ms, beat.received_ms, beat.online) == (1_700_000_000_500, 7, True)
    assert beat.body["spool"] == {"depth": 3}
    will = translate.decode_heartbeat("g", b'{"v":1,"online":false}', 99)
    assert (will.at_ms, will.online) == (99, False)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"online":1}', b'{"online":true,"at":"x"}', b'{"online":true,"at":1e300}', b"\xff", b"[" * 9**5],
)
def test_a_heartbeat_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        translate.decode_heartbeat("g", payload, 1)
