"""A simulated node as a process of its own."""

from pathlib import Path

import pytest

from firmware_scripts.frame import Decoder, Frame
from firmware_scripts.sim.process import NodeProcess, find_engine
from tests.support.wait import until

PROBES = [
    {"kind": "ds", "trig": 2, "echo": 3},
    {"kind": "tw", "pin": 15},
    {"kind": "bv", "pin": 28, "top": 100, "bottom": 22},
]
SAID = {"echo_us": {"3": 6000}, "adc": {"28": 45_000}, "c100": {"15": 1800}}


@pytest.mark.parametrize("engine", ["auto", "cpython"])
def test_probes_have_something_to_measure_from_the_first_moment_on(tmp_path: Path, engine: str) -> None:
    """However late the node's world speaks again: a first battery of 0 V would be a lie of the simulation."""
    node = NodeProcess(find_engine(engine), tmp_path / "T01", factor=20_000)
    node.write_flash("T01", PROBES, 600_000)
    node.start(SAID)
    decoder, frames = Decoder(), list[Frame]()

    def first_data() -> Frame | None:
        frames.extend(decoder.feed(node.read()))
        return next((frame for frame in frames if frame.kind == "D"), None)

    frame = until(first_data, 20, "for the first data")
    node.stop()
    measured = [frame.fields[key] for key in ("ds", "tw", "bv")]
    assert [round(value, -2) for value in measured if isinstance(value, int)] == [1000, 1800, 12600]
