"""Frames against the golden vectors, in pieces of any size, under every damage."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_scripts.frame import MAX_DOWN, MAX_UP, Decoder, Frame, crc16, encode, encode_command
from tests.unit.firmware_scripts.damage import CHATTER, KINDS, damage

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "frame.json").read_text())

keys = st.text("abcdefghijkmopqrstuvwxyz0123456789", min_size=2, max_size=4).filter(
    lambda key: key not in {"fw", "hw", "ui", "rc", "cf", "ch", "vb", "ec", "fl"}
)
values = st.one_of(
    st.none(),
    st.integers(-(10**10) + 1, 10**10 - 1),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="$*,="), min_size=1, max_size=24),
)
pair_lists = st.lists(st.tuples(keys, values), max_size=5, unique_by=lambda pair: pair[0])
nodes = st.text("ABCXYZ019-_", min_size=1, max_size=8)
lines = st.builds(
    encode,
    st.sampled_from("BDAN"),
    nodes,
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(keys, st.integers(-99999, 99999)), max_size=5, unique_by=lambda pair: pair[0]),
    sized=st.booleans(),
)


def as_dict(frame: Frame) -> dict[str, Any]:
    return {name: getattr(frame, name) for name in ("kind", "node", "seq", "up_ms", "tag", "verb", "fields")}


def counts(decoder: Decoder) -> tuple[int, ...]:
    return (decoder.good, decoder.bad, decoder.unknown_version, decoder.noise_bytes)


@pytest.mark.parametrize("case", VECTORS["decode"], ids=lambda case: case["name"])
def test_decode_vector(case: Any) -> None:
    decoder = Decoder()
    frames = decoder.feed(case["bytes"].encode("latin-1"))
    assert [as_dict(frame) for frame in frames] == case["frames"]
    assert counts(decoder) == tuple(case[name] for name in ("good", "bad", "unknown_version", "noise_bytes"))


@pytest.mark.parametrize("case", VECTORS["encode"], ids=lambda case: case["name"])
def test_encode_vector(case: Any) -> None:
    pairs = [tuple(pair) for pair in case["pairs"]]
    assert encode(case["kind"], case["node"], case["seq"], case["up_ms"], pairs) == case["line"].encode()


@pytest.mark.parametrize("case", VECTORS["encode_command"], ids=lambda case: case["name"])
def test_encode_command_vector(case: Any) -> None:
    pairs = [tuple(pair) for pair in case["pairs"]]
    assert encode_command(case["node"], case["tag"], case["verb"], pairs) == case["line"].encode()


@pytest.mark.parametrize(("text", "crc"), VECTORS["crc"])
def test_crc_vector(text: Any, crc: Any) -> None:
    assert crc16(text.encode()) == crc


@given(st.sampled_from("BDAN"), nodes, st.integers(0, 65535), st.integers(0, 2**32 - 1), pair_lists, st.booleans())
def test_what_is_encoded_is_decoded(kind: Any, node: Any, seq: Any, up_ms: Any, pairs: Any, sized: Any) -> None:
    try:
        line = encode(kind, node, seq, up_ms, pairs, sized=sized)
    except ValueError:
        assert sum(len(key) + len(str(value)) + 2 for key, value in pairs) > 100
        return
    (frame,) = Decoder().feed(line)
    assert (frame.kind, frame.node, frame.seq, frame.up_ms) == (kind, node, seq, up_ms)
    assert list(frame.fields) == [key for key, _ in pairs]
    for key, value in pairs:
        told = frame.fields[key]
        assert told == value or (isinstance(told, int) and int(str(value)) == told)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("C", "T01", 0, 0, []), "a command is no up-frame"),
        (("D", "t01", 0, 0, []), "lower case node"),
        (("D", "T01", 0, 0, [("ds", "a b")]), "blank"),
        (("D", "T01", 0, 0, [("ds", "1,tw=2")]), "comma"),
        (("D", "T01", 0, 0, [("distance", 1)]), "long key"),
        (("D", "T01", 0, 0, [("ds", 1), ("ds", 2)]), "key twice"),
        (("D", "T01", 0, 0, [("ds", 10**25)]), "long value"),
        (("D", "T01", 0, 0, [(f"a{n}", "x" * 24) for n in range(6)]), "long line"),
    ],
)
def test_encode_refuses(arguments: Any, why: Any) -> None:
    with pytest.raises(ValueError, match="not a WM1 line"):
        encode(*arguments)


def test_a_command_fits_the_node_or_is_refused() -> None:
    assert len(encode_command("ABCDEFGH", 9999, "CAL", [("ch", "fp2"), ("num", 99999), ("den", 99999)])) <= MAX_DOWN
    with pytest.raises(ValueError, match="not a WM1 line"):
        encode_command("ABCDEFGH", 9999, "CAL", [("ch", "fp2"), ("num", 9999999), ("den", 9999999)])


@given(st.lists(st.one_of(lines, st.binary(max_size=40), st.sampled_from(CHATTER)), max_size=8), st.data())
def test_pieces_of_any_size_give_the_same(parts: Any, data: Any) -> None:
    stream = b"".join(parts)
    whole = Decoder(keep=256)
    expected = whole.feed(stream)
    pieces = Decoder(keep=256)
    frames: list[Frame] = []
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, 50))
        frames += pieces.feed(stream[position : position + size])
        position += size
    assert frames == expected
    assert counts(pieces) == counts(whole)
    assert pieces.noise == whole.noise


@given(st.binary(max_size=2000))
def test_any_bytes_are_taken_without_an_error(data: Any) -> None:
    decoder = Decoder(keep=100)
    decoder.feed(data)
    assert len(decoder.noise) <= 100
    assert len(decoder._held) <= MAX_UP


def test_memory_stays_bounded_without_any_line_end() -> None:
    decoder = Decoder()
    for _ in range(1000):
        decoder.feed(b"$" + b"x" * 99)
        decoder.feed(b"y" * 4096)
        assert len(decoder._held) <= MAX_UP
        assert len(decoder.noise) <= 2048


@given(st.lists(lines, min_size=3, max_size=6), st.data())
def test_one_damage_costs_at_most_one_frame_and_never_gives_a_wrong_one(sent: Any, data: Any) -> None:
    good = [frame for line in sent for frame in Decoder().feed(line)]
    index = data.draw(st.integers(0, len(sent) - 1))
    kind = data.draw(st.sampled_from(KINDS))
    hurt = damage(sent[index], kind, random.Random(data.draw(st.integers(0, 2**32))))
    frames = Decoder().feed(b"".join([*sent[:index], hurt, *sent[index + 1 :]]))
    others = good[:index] + good[index + 1 :]
    assert frames in (good, others)


def test_every_single_flip_drop_and_insertion_of_a_data_frame_is_seen() -> None:
    before, line, after = (
        encode("D", "T01", seq, 5012 * seq, [("ds", 1234), ("dq", 5), ("fp", 18342), ("tw", 1862), ("fl", "00")])
        for seq in (1, 2, 3)
    )
    first, middle, last = (Decoder().feed(part)[0] for part in (before, line, after))
    hurt = [line[:at] + bytes([line[at] ^ (1 << bit)]) + line[at + 1 :] for at in range(len(line)) for bit in range(8)]
    hurt += [line[:at] + line[at + 1 :] for at in range(len(line))]
    hurt += [line[:at] + bytes([byte]) + line[at:] for at in range(len(line)) for byte in range(256)]
    for each in hurt:
        frames = Decoder().feed(before + each + after)
        assert frames in ([first, middle, last], [first, last]), each


@pytest.mark.prove
def test_a_million_damaged_lines_give_no_wrong_frame() -> None:
    """Each line has one damage; what comes out must be that line, or nothing, and the lines around it."""
    dice = random.Random(20261124)
    wrong = too_many_lost = 0
    lost = dict.fromkeys(KINDS, 0)
    for number in range(1_000_000):
        kind = KINDS[number % len(KINDS)]
        seq, up_ms = dice.randrange(65536), dice.randrange(2**32)
        pairs = [
            ("ds", dice.randrange(250, 4500)),
            ("dq", 5),
            ("fp", dice.randrange(10**9)),
            ("tw", 1862),
            ("fl", "00"),
        ]
        line = encode("D", "T01", seq, up_ms, pairs)
        following = b"$WM1,D,T01,2,10012,ds=,dq=0,fp=18342,hd=1007,tw=,bv=12471,er=1,fl=05*2E05\r\n"
        frames = Decoder(keep=0).feed(damage(line, kind, dice) + following)
        if len(frames) == 2:
            wrong += frames != Decoder(keep=0).feed(line + following)
        else:
            lost[kind] += 1
            too_many_lost += len(frames) != 1 or frames[0].up_ms != 10012
    print(json.dumps({"lines": 1_000_000, "wrong": wrong, "damage_costing_more": too_many_lost, "lost": lost}))  # noqa: T201  # the measured figures
    assert wrong == 0
    assert too_many_lost == 0
