"""Published language between gateway and server; standard library only."""

from gateway.wire.answer import Answer, decode_answer, encode_answer
from gateway.wire.command import Command, decode_command, encode_command, encode_reply
from gateway.wire.decode import Run, decode_pack
from gateway.wire.errors import AnswerError, CommandError, PackError, TopicError, WireError
from gateway.wire.pack import (
    CONTENT_TYPE,
    DEFLATE,
    MAX_INFLATED_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_READINGS,
    Pack,
    build_pack,
)
from gateway.wire.record import Reading, encode_record
from gateway.wire.topics import Kind, Topic, build_filter, build_topic, parse_topic

__all__ = [
    "CONTENT_TYPE",
    "DEFLATE",
    "MAX_INFLATED_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_READINGS",
    "Answer",
    "AnswerError",
    "Command",
    "CommandError",
    "Kind",
    "Pack",
    "PackError",
    "Reading",
    "Run",
    "Topic",
    "TopicError",
    "WireError",
    "build_filter",
    "build_pack",
    "build_topic",
    "decode_answer",
    "decode_command",
    "decode_pack",
    "encode_answer",
    "encode_command",
    "encode_record",
    "encode_reply",
    "parse_topic",
]
