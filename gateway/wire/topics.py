"""Topics between gateway and server: `monuoc/v1/{gateway}/{kind}`."""

import re
from typing import Final, Literal, NamedTuple, get_args

from gateway.wire.errors import TopicError

Kind = Literal["data", "status", "ack", "command", "reply"]

ROOT: Final = "monuoc/v1"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_GATEWAY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Topic(NamedTuple):
    """Whose messages of which kind."""

    gateway: str
    kind: Kind


def build_topic(gateway: str, kind: Kind) -> str:
    """Topic of one gateway's messages of one kind; TopicError for an id that is not `[a-z0-9][a-z0-9-]{0,31}`."""
    if not _GATEWAY.fullmatch(gateway):
        raise TopicError("bad_topic", f"gateway id {gateway[:40]!r}")
    return f"{ROOT}/{gateway}/{kind}"


def build_filter(kind: Kind) -> str:
    """Subscription filter for one kind of message of every gateway."""
    return f"{ROOT}/+/{kind}"


def parse_topic(topic: str) -> Topic:
    """Gateway and kind of a topic; TopicError if it is none of ours."""
    root, _, rest = topic.rpartition("/")
    root, _, gateway = root.rpartition("/")
    for kind in KINDS:
        if kind == rest and root == ROOT and _GATEWAY.fullmatch(gateway):
            return Topic(gateway, kind)
    raise TopicError("bad_topic", repr(topic[:80]))
