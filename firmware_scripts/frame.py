"""The serial line between node and gateway, version WM1: encode and decode frames.

    frame   = "$" body "*" crc CR LF              crc = CRC-16/CCITT-FALSE of the body, 4 hex digits
    body    = "WM1," ("B" / "D" / "A" / "N") "," node "," seq "," up *("," key "=" value)
            / "WM1,C," (node / "*") "," tag "," verb *("," key "=" value)

B says that a node has started, D carries data, A and N answer a command, C is a command. The last pair `ln` is
the body's length. CRC-16 sees every one, two or three flipped bits and every burst up to 16 bits; what drops or
adds bytes it would miss once in 65,536 times, and that the length sees. A frame without `ln` is accepted (a person
typed it), but a key which could be a damaged `ln` is not.

The same file runs on MicroPython and CPython, so it imports nothing that only one of them has.
"""

try:
    from binascii import crc_hqx as _crc_hqx
except ImportError:  # MicroPython

    def _crc_hqx(data: bytes, crc: int) -> int:  # type: ignore[misc]  # it is the same function in Python
        for byte in data:
            high = (crc >> 8) ^ byte
            high ^= high >> 4
            crc = ((crc << 8) ^ (high << 12) ^ (high << 5) ^ high) & 0xFFFF
        return crc


VERSION = "WM1"
MAX_UP = 160
"""Longest line from a node in bytes, with `$` and CR LF."""
MAX_DOWN = 64
"""Longest line to a node in bytes, with `$` and CR LF."""

_UP_KINDS = ("B", "D", "A", "N")
_TEXT_KEYS = ("fw", "hw", "ui", "rc", "cf", "ch", "vb", "ec")
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE (polynomial 1021, start FFFF): `b"123456789"` gives 0x29B1."""
    return _crc_hqx(data, 0xFFFF)


class Frame:
    """One whole, valid frame.

    Attributes:
        kind: "B", "D", "A", "N" (from a node) or "C" (to a node).
        node: node id; "*" in a command means whoever hears it.
        seq: 0..65535, one more for each frame sent; 0 in a command.
        up_ms: milliseconds since the node started, modulo 2**32; 0 in a command.
        tag: 0..9999, chosen by the gateway; -1 in an up-frame.
        verb: what a command asks; "" in an up-frame.
        fields: value by key. None: tried and failed. Whole numbers are int, `fl` is int (read as hexadecimal),
            `fw hw ui rc cf ch vb ec` are always str.
    """

    def __init__(  # noqa: PLR0917  # made here only
        self,
        kind: str,
        node: str,
        seq: int,
        up_ms: int,
        tag: int,
        verb: str,
        fields: "dict[str, int | str | None]",
    ) -> None:
        self.kind = kind
        self.node = node
        self.seq = seq
        self.up_ms = up_ms
        self.tag = tag
        self.verb = verb
        self.fields = fields

    def _all(self) -> "tuple[object, ...]":
        return (self.kind, self.node, self.seq, self.up_ms, self.tag, self.verb, self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self.kind, self.node, self.seq, self.up_ms, self.tag, self.verb))

    def __repr__(self) -> str:
        return "Frame" + repr(self._all())


def encode(
    kind: str,
    node: str,
    seq: int,
    up_ms: int,
    pairs: "list[tuple[str, int | str | None]]",
    *,
    sized: bool = True,
) -> bytes:
    """Return the line of an up-frame, with CR LF.

    Args:
        kind: "B", "D", "A" or "N".
        node: 1..8 of A-Z 0-9 - _.
        seq: taken modulo 65536.
        up_ms: taken modulo 2**32.
        pairs: key and value in the order to be sent; None is sent as nothing behind the `=`. The value of `fl` is
            text: two hexadecimal digits.
        sized: end with `ln`, the body's length.

    Raises:
        ValueError: the line breaks the grammar or is longer than MAX_UP.
    """
    head = "%s,%s,%s,%d,%d" % (VERSION, kind, node, seq % 65536, up_ms % 4294967296)
    return _close(head, pairs, sized, False)


def encode_command(
    node: str,
    tag: int,
    verb: str,
    pairs: "list[tuple[str, int | str | None]]",
    *,
    sized: bool = True,
) -> bytes:
    """Return the line of a command to `node` ("*": whoever hears it), with CR LF.

    Raises:
        ValueError: the line breaks the grammar or is longer than MAX_DOWN.
    """
    return _close("%s,C,%s,%d,%s" % (VERSION, node, tag, verb), pairs, sized, True)


def _close(head: str, pairs: "list[tuple[str, int | str | None]]", sized: bool, is_command: bool) -> bytes:
    longest = MAX_DOWN if is_command else MAX_UP
    body = head
    for key, value in pairs:
        body += ",%s=%s" % (key, "" if value is None else value)
    if sized:
        body += ",ln="
        body += str(len(body) + (2 if len(body) < 98 else 3))
    line = "$%s*%04X\r\n" % (body, crc16(body.encode()))
    frame = _parse(body)
    if len(line) > longest or frame is None or len(frame.fields) != len(pairs) or (frame.kind == "C") != is_command:
        raise ValueError("not a WM1 line: " + line)
    return line.encode()


class Decoder:
    """Take bytes as they come, in pieces of any size, and give the frames in them.

    Attributes:
        good: valid frames.
        bad: things that began as a frame and were none: damaged, cut off, too long.
        unknown_version: frames with a right CRC that are not WM1.
        noise_bytes: bytes outside frames: a Python prompt, lines for people that start with `#`, static.
        noise: the last `keep` bytes of noise and of bad frames, for a person to look at.
    """

    def __init__(self, max_line: int = MAX_UP, keep: int = 2048) -> None:
        self.good = 0
        self.bad = 0
        self.unknown_version = 0
        self.noise_bytes = 0
        self.noise = b""
        self._longest = max_line - 3
        self._keep = keep
        self._open = False
        self._held = b""

    def feed(self, data: bytes) -> "list[Frame]":
        """Return the frames that end within `data`, oldest first. Never raises, whatever the bytes are."""
        frames: list[Frame] = []
        lines = data.replace(b"\r", b"\n").split(b"\n")
        for index in range(len(lines)):
            if index:
                self._end(frames)
            pieces = lines[index].split(b"$")
            self._extend(pieces[0])
            for piece in pieces[1:]:
                self._give_up()
                self._open = True
                self._extend(piece)
        return frames

    def _extend(self, piece: bytes) -> None:
        if not self._open:
            self.noise_bytes += len(piece)
            self._note(piece)
        elif len(self._held) + len(piece) > self._longest:
            self.noise_bytes += len(self._held) + len(piece) - self._longest
            self._held += piece
            self._give_up()
        else:
            self._held += piece

    def _give_up(self) -> None:
        if self._open:
            self.bad += 1
            self._note(b"$" + self._held)
            self._open = False
            self._held = b""

    def _end(self, frames: "list[Frame]") -> None:
        if not self._open:
            if self.noise and self.noise[-1] != 10:
                self._note(b"\n")
            return
        body = _check(self._held)
        frame = None if body is None else _parse(body)
        if frame is not None:
            self.good += 1
            frames.append(frame)
            self._open = False
            self._held = b""
        elif body is not None and not body.startswith(VERSION + ",") and body.startswith("WM"):
            self.unknown_version += 1
            self._open = False
            self._held = b""
        else:
            self._give_up()

    def _note(self, piece: bytes) -> None:
        if self._keep:
            self.noise = (self.noise + piece)[-self._keep :]


def _check(held: bytes) -> "str | None":
    """The body of `body*crc` when every byte is text and the CRC is right."""
    if len(held) < 5 or held[-5] != 0x2A or min(held) < 0x20 or max(held) > 0x7E:
        return None
    body = held[:-5]
    try:
        said = int(held[-4:], 16)
    except ValueError:
        return None
    if not _made_of(held[-4:].decode().upper(), "0123456789ABCDEF") or said != crc16(body):
        return None
    return body.decode()


def _parse(body: str) -> "Frame | None":
    """The frame that `body` says, or None when it breaks the grammar."""
    parts = body.split(",")
    if len(parts) < 5 or parts[0] != VERSION:
        return None
    kind, node = parts[1], parts[2]
    fields = _read_fields(parts[5:], len(body))
    if fields is None:
        return None
    if kind == "C":
        tag = _whole(parts[3], 9999)
        if (node != "*" and not is_node(node)) or tag < 0 or not _made_of(parts[4], _UPPER) or len(parts[4]) > 8:
            return None
        return Frame(kind, node, 0, 0, tag, parts[4], fields)
    seq, up_ms = _whole(parts[3], 65535), _whole(parts[4], 4294967295)
    if kind not in _UP_KINDS or not is_node(node) or seq < 0 or up_ms < 0:
        return None
    return Frame(kind, node, seq, up_ms, -1, "", fields)


def is_node(text: str) -> bool:
    """Whether `text` is a node id: 1..8 of A-Z 0-9 - _."""
    return len(text) <= 8 and _made_of(text, _UPPER + "-_")


def _read_fields(parts: "list[str]", length: int) -> "dict[str, int | str | None] | None":
    fields: dict[str, int | str | None] = {}
    for index in range(len(parts)):
        key, equals, text = parts[index].partition("=")
        if key == "ln":
            if text != str(length) or index != len(parts) - 1:
                return None
            break
        if not equals or not 2 <= len(key) <= 4 or not _made_of(key, _LOWER) or key in fields or _like_ln(key):
            return None
        if not _is_value(text):
            return None
        fields[key] = _value(key, text)
    return fields


def _like_ln(key: str) -> bool:
    """Whether bytes added to `ln` could have made this key."""
    first = key.find("l")
    return first >= 0 and key.find("n", first) >= 0


def _is_value(text: str) -> bool:
    if len(text) > 24:
        return False
    for letter in "$*,= ":
        if letter in text:
            return False
    return True


def _value(key: str, text: str) -> "int | str | None":
    if not text:
        return None
    if key in _TEXT_KEYS:
        return text
    if key == "fl" and len(text) == 2 and _made_of(text.upper(), "0123456789ABCDEF"):
        return int(text, 16)
    digits = text[1:] if text[0] == "-" else text
    if len(digits) <= 10 and _made_of(digits, "0123456789"):
        return int(text)
    return text


def _whole(text: str, greatest: int) -> int:
    """The number 0..greatest written without leading zeros, or -1."""
    if not _made_of(text, "0123456789") or len(text) > 10 or (text[0] == "0" and len(text) > 1):
        return -1
    number = int(text)
    return number if number <= greatest else -1


def _made_of(text: str, letters: str) -> bool:
    if not text:
        return False
    for letter in text:  # MicroPython's all() with a generator allocates and is slower
        if letter not in letters:
            return False
    return True
