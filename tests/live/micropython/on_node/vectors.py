"""The golden vectors, on MicroPython: SIM_ROOT says where the checkout is."""

import json
import os
import sys

ROOT = os.getenv("SIM_ROOT") if hasattr(os, "getenv") else "/"
sys.path.append(ROOT)

from firmware_scripts.frame import Decoder, crc16, encode, encode_command  # noqa: E402  # the path comes first

with open(ROOT + "/tests/vectors/frame.json") as file:  # noqa: PTH123  # MicroPython has no pathlib
    VECTORS = json.load(file)


def as_bytes(text):  # noqa: ANN001, ANN201  # MicroPython
    return bytes([ord(letter) for letter in text])


for text, crc in VECTORS["crc"]:
    assert crc16(text.encode()) == crc, text
for case in VECTORS["encode"]:
    pairs = [tuple(pair) for pair in case["pairs"]]
    line = encode(case["kind"], case["node"], case["seq"], case["up_ms"], pairs)
    assert line == case["line"].encode(), case["name"]
for case in VECTORS["encode_command"]:
    pairs = [tuple(pair) for pair in case["pairs"]]
    assert encode_command(case["node"], case["tag"], case["verb"], pairs) == case["line"].encode(), case["name"]
for size in (1, 3, 7, 1000):
    for case in VECTORS["decode"]:
        data = as_bytes(case["bytes"])
        decoder = Decoder()
        frames = []
        for at in range(0, len(data), size):
            frames += decoder.feed(data[at : at + size])
        told = [{key: getattr(frame, key) for key in case["frames"][0]} for frame in frames] if frames else []
        assert told == case["frames"], (case["name"], told)
        counts = [decoder.good, decoder.bad, decoder.unknown_version, decoder.noise_bytes]
        assert counts == [case[key] for key in ("good", "bad", "unknown_version", "noise_bytes")], case["name"]
print("vectors ok:", len(VECTORS["decode"]))  # noqa: T201
