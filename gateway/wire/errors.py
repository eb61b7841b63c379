"""What can be wrong with a message on the wire, as a small tree of exceptions."""


class WireError(Exception):
    """A message that does not follow the published language.

    Attributes:
        reason: short key, stable, fit for counting ("bad_time").
        detail: what was seen and where, for people.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PackError(WireError):
    """A data pack that is refused as a whole."""


class TopicError(WireError):
    """A topic that is none of ours."""


class AnswerError(WireError):
    """An answer of the server that cannot be understood."""


class CommandError(WireError):
    """A command for a node that cannot be understood."""
