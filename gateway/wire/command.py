"""Commands for a node by way of its gateway, with their replies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.wire.errors import CommandError

Argument = str | int | float


@dataclass(frozen=True, slots=True)
class Command:
    """Ask `node` to do `verb`; the reply bears the same id."""

    id: str
    node: str
    verb: str
    args: Mapping[str, Argument] = field(default_factory=dict)


def encode_command(command: Command) -> bytes:
    """The command's message body."""
    body = {"id": command.id, "node": command.node, "verb": command.verb, "args": dict(command.args)}
    return json.dumps(body, separators=(",", ":")).encode()


def decode_command(payload: bytes) -> Command:
    """What a command asks; CommandError if it is none. Unknown fields are ignored."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise CommandError("not_json", str(error)) from None
    if not isinstance(body, dict):
        raise CommandError("bad_command", "no object")
    words = [body.get(key) for key in ("id", "node", "verb")]
    args = body.get("args", {})
    if not all(isinstance(word, str) and 0 < len(word) <= 64 for word in words) or not isinstance(args, dict):
        raise CommandError("bad_command", "id, node, verb must be short texts and args an object")
    if not all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in args.values()):
        raise CommandError("bad_command", "an argument is neither text nor number")
    return Command(str(words[0]), str(words[1]), str(words[2]), args)


def encode_reply(command_id: str, fields: Mapping[str, object] | None, error: str = "") -> bytes:
    """The reply's message body: what the node said, or why nothing came of it."""
    body: dict[str, object] = {"id": command_id, "ok": fields is not None}
    body |= {"error": error} if fields is None else {"fields": dict(fields)}
    return json.dumps(body, separators=(",", ":")).encode()
