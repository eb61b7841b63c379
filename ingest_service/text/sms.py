"""Brings a text into the plain letters of a short message.

One accented letter makes a whole message UCS-2 and cuts a part from 160 to 70 characters, so every accent goes.
"""

import unicodedata
from typing import Final

_REPLACED: Final = str.maketrans(
    {
        "đ": "d",
        "Đ": "D",
        "₫": "VND",
        "\u00a0": " ",
        "\u202f": " ",
        "–": "-",
        "—": "-",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "…": "...",
        "²": "2",
        "³": "3",
        "°": "",
    }
)
_GSM7: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_DOUBLE: Final = frozenset("^{}\\[~]|€")


def sms(text: str) -> str:
    """`text` in plain ASCII: accents dropped, signs replaced, anything else a question mark."""
    flat = unicodedata.normalize("NFD", text.translate(_REPLACED))
    kept = (letter for letter in flat if unicodedata.category(letter) != "Mn")
    return "".join(letter if letter.isascii() else "?" for letter in kept)


def count_parts(text: str) -> int:
    """How many parts a message needs: 160 (then 153 each) in GSM-7, 70 (then 67 each) in UCS-2."""
    if all(letter in _GSM7 or letter in _GSM7_DOUBLE for letter in text):
        return _parts([2 if letter in _GSM7_DOUBLE else 1 for letter in text], 160, 153)
    return _parts([len(letter.encode("utf-16-be")) // 2 for letter in text], 70, 67)


def _parts(widths: list[int], single: int, joined: int) -> int:
    """A letter of two units is never cut in two."""
    if sum(widths) <= single:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > joined:
            parts, used = parts + 1, 0
        used += width
    return parts
