"""The server's answer: which packs are durably stored, which it will never take."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.wire.errors import AnswerError


class Answer(NamedTuple):
    """Packs by id: stored, or kept as rejects with a reason. The gateway forgets both."""

    ok: tuple[str, ...]
    rejected: Mapping[str, str]


def encode_answer(ok: Sequence[str], rejected: Mapping[str, str]) -> bytes:
    """The answer's message body."""
    return json.dumps({"ok": list(ok), "rejected": dict(rejected)}, separators=(",", ":")).encode()


def decode_answer(payload: bytes) -> Answer:
    """What an answer says; AnswerError if it is none. Unknown fields are ignored."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise AnswerError("not_json", str(error)) from None
    if not isinstance(body, dict):
        raise AnswerError("bad_answer", "no object")
    ok, rejected = body.get("ok", []), body.get("rejected", {})
    if not isinstance(ok, list) or not isinstance(rejected, dict):
        raise AnswerError("bad_answer", "ok is no array or rejected is no object")
    if not all(isinstance(word, str) for word in (*ok, *rejected.values())):
        raise AnswerError("bad_answer", "an id or a reason is no text")
    return Answer(tuple(ok), rejected)
