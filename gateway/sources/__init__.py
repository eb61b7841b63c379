"""Where frames come from: serial ports, simulated nodes, recordings."""

from gateway.sources.lines import Lines, open_lines
from gateway.sources.source import Hear, NoAnswerError, NoteBad, PortState, Source, UnknownNodeError

__all__ = ["Hear", "Lines", "NoAnswerError", "NoteBad", "PortState", "Source", "UnknownNodeError", "open_lines"]
