"""Obey the commands that read or change settings: INT ZERO CAL CFG DEF.

ZERO and CAL only note the zero point and the scale of a probe on the node, where they travel with it and CFG shows
them. The node always reports raw readings; the gateway turns them into quantities.
"""

from firmware_scripts.settings import LEAST_INTERVAL_MS, MOST_INTERVAL_MS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.frame import Frame
    from firmware_scripts.hardware import Pairs
    from firmware_scripts.settings import Settings

MOST_SCALE = 1_000_000
ZEROED = ("ds", "hd")
SCALED = ("ds", "hd", "fp", "bv", "tw", "vs")


class RefusedError(Exception):
    """The command is not obeyed.

    Its only argument is the code: "fmt" (an argument is missing or no number), "verb", "arg" (no such channel),
    "range", "busy" or "hw".
    """


def obey(frame: "Frame", settings: "Settings", readings: "Pairs") -> "Pairs":
    """Do what the command says.

    Args:
        frame: the command.
        settings: what it may change.
        readings: the node's last readings, by which it also knows its channels.

    Returns:
        What the answer says, besides tag and verb.

    Raises:
        RefusedError: it cannot be obeyed.
    """
    if frame.verb == "INT":
        settings.interval_ms = _number(frame, "iv", LEAST_INTERVAL_MS, MOST_INTERVAL_MS)
        settings.changed()
        return [("iv", settings.interval_ms)]
    if frame.verb == "ZERO":
        return _zero(frame, settings, readings)
    if frame.verb == "CAL":
        return _scale(frame, settings, readings)
    if frame.verb == "CFG":
        return _dump(frame, settings, readings)
    if frame.verb == "DEF":
        settings.reset()
        settings.changed()
        return [("iv", settings.interval_ms), ("cf", settings.crc())]
    raise RefusedError("verb")


def _zero(frame: "Frame", settings: "Settings", readings: "Pairs") -> "Pairs":
    channel = _channel(frame, readings, ZEROED)
    reading = None
    for key, value in readings:
        if key == channel:
            reading = value
    if not isinstance(reading, int):
        raise RefusedError("hw")
    settings.zero[channel] = reading
    settings.changed()
    return [("ch", channel), ("of", reading)]


def _scale(frame: "Frame", settings: "Settings", readings: "Pairs") -> "Pairs":
    channel = _channel(frame, readings, SCALED)
    numerator = _number(frame, "num", 1, MOST_SCALE)
    denominator = _number(frame, "den", 1, MOST_SCALE)
    settings.scale[channel] = [numerator, denominator]
    settings.changed()
    return [("ch", channel), ("num", numerator), ("den", denominator)]


def _dump(frame: "Frame", settings: "Settings", readings: "Pairs") -> "Pairs":
    if "ch" in frame.fields:
        channel = _channel(frame, readings, SCALED)
        num, den = settings.scale.get(channel, (None, None))
        return [("ch", channel), ("of", settings.zero.get(channel)), ("num", num), ("den", den)]
    return [("iv", settings.interval_ms), ("cf", settings.crc()), ("bt", settings.boots)]


def _channel(frame: "Frame", readings: "Pairs", kinds: "tuple[str, ...]") -> str:
    channel = frame.fields.get("ch")
    if not isinstance(channel, str):
        raise RefusedError("fmt")
    if channel[:2] not in kinds or channel not in [key for key, _ in readings]:
        raise RefusedError("arg")
    return channel


def _number(frame: "Frame", key: str, least: int, most: int) -> int:
    number = frame.fields.get(key)
    if not isinstance(number, int):
        raise RefusedError("fmt")
    if not least <= number <= most:
        raise RefusedError("range")
    return number
