"""Damage lines as a real line does: flips, drops, insertions, cuts, a Python prompt in between."""

import random

CHATTER = (
    b">>> ",
    b"Traceback (most recent call last):\r\n",
    b'  File "main.py", line 12, in <module>\r\n',
    b"MemoryError: \r\n",
    b"MicroPython v1.28.0 on 2026-04-06; Raspberry Pi Pico with RP2040\r\n",
    b"# node T01 firmware 1.0.0\r\n",
)
KINDS = ("flip", "drop", "insert", "cut", "chatter")


def damage(line: bytes, kind: str, dice: random.Random) -> bytes:
    """One damage of that kind to one line."""
    at = dice.randrange(len(line))
    if kind == "flip":
        return line[:at] + bytes([line[at] ^ (1 << dice.randrange(8))]) + line[at + 1 :]
    if kind == "drop":
        return line[:at] + line[at + 1 :]
    if kind == "insert":
        return line[:at] + bytes([dice.randrange(256)]) + line[at:]
    if kind == "cut":
        end = min(len(line), at + 1 + dice.randrange(len(line)))
        return line[:at] + line[end:]
    return line[:at] + dice.choice(CHATTER) + line[at:]
