"""Topics, answers and commands."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import (
    Answer,
    AnswerError,
    Command,
    CommandError,
    Kind,
    TopicError,
    build_filter,
    build_topic,
    decode_answer,
    decode_command,
    encode_answer,
    encode_command,
    encode_reply,
    parse_topic,
)

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "pack.json").read_text())
words = st.text(max_size=30)


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True), st.sampled_from(get_args(Kind)))
def test_topics_are_parsed_back(gateway: str, kind: Kind) -> None:
    assert parse_topic(build_topic(gateway, kind)) == (gateway, kind)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "monuoc",
        "monuoc/v1/a",
        "monuoc/v1/a/x",
        "monuoc/v2/a/data",
        "monuoc/v1/A/data",
        "monuoc/v1//data",
        "monuoc/v1/a/b/data",
        "x/monuoc/v1/a/data",
        "monuoc/v1/a/data/",
        "monuoc/v1/a\n/data",
        "monuoc/v1/a\x00/data",
        f"monuoc/v1/{'a' * 33}/data",
        "monuoc/v1/-a/data",
        "monuoc/v1/+/data",
        "a" * 60_000,
    ],
)
def test_topics_of_others_are_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        parse_topic(topic)


def test_a_filter_takes_every_gateway() -> None:
    assert build_filter("data") == "monuoc/v1/+/data"
    with pytest.raises(TopicError):
        build_topic("+", "data")


@given(st.lists(words), st.dictionaries(words, words))
def test_answers_are_read_back(ok: list[str], rejected: dict[str, str]) -> None:
    assert decode_answer(encode_answer(ok, rejected)) == Answer(tuple(ok), rejected)


@pytest.mark.parametrize("case", VECTORS["good_answers"], ids=lambda case: case["name"])
def test_golden_answers(case: dict[str, Any]) -> None:
    assert decode_answer(case["text"].encode()) == Answer(tuple(case["ok"]), case["rejected"])


@pytest.mark.parametrize("case", VECTORS["bad_answers"], ids=lambda case: case["name"])
def test_what_is_no_answer_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(AnswerError) as caught:
        decode_answer(case["text"].encode())
    assert caught.value.reason == case["reason"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[" * 100_000])
def test_noise_is_no_answer(payload: bytes) -> None:
    with pytest.raises(AnswerError):
        decode_answer(payload)


def test_commands_are_read_back() -> None:
    command = Command("7", "T01", "INT", {"iv": 60000, "why": "night"})
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":1,"node":"T01","verb":"INT"}',
        b'{"id":"1","node":"T01","verb":""}',
        b'{"id":"1","node":"T01","verb":"INT","args":[]}',
        b'{"id":"1","node":"T01","verb":"INT","args":{"a":true}}',
    ],
)
def test_what_is_no_command_is_refused(payload: bytes) -> None:
    with pytest.raises(CommandError):
        decode_command(payload)


def test_replies_say_what_came_or_why_not() -> None:
    assert json.loads(encode_reply("7", {"iv": "60000"})) == {"id": "7", "ok": True, "fields": {"iv": "60000"}}
    assert json.loads(encode_reply("7", None, "silent")) == {"id": "7", "ok": False, "error": "silent"}
