"""The node's modules on both MicroPythons, and through its compiler."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.live.micropython.engines import ROOT, need_installed, need_wasm
from tests.support.programs import need_program

ON_NODE = Path(__file__).parent / "on_node"
PACKAGE = ROOT / "firmware_scripts"
MOST_EACH, MOST_ALL = 8 * 1024, 40 * 1024


def modules() -> list[Path]:
    """What `make flash` copies: all but the types and the simulation."""
    found = [*PACKAGE.glob("*.py"), *PACKAGE.glob("probes/*.py")]
    return sorted(path for path in found if path.name != "hardware.py")


def run_script(name: str, folder: Path, heap: str = "1m") -> str:
    done = subprocess.run(
        [need_installed("micropython"), "-X", f"heapsize={heap}", str(ON_NODE / name)],
        cwd=folder,
        env={**os.environ, "SIM_ROOT": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_vectors(tmp_path: Path) -> None:
    assert "vectors ok" in run_script("vectors.py", tmp_path)


def test_three_weeks_across_the_wraps_of_ticks_and_pulses_with_sensor_faults(tmp_path: Path) -> None:
    assert "weeks ok" in run_script("weeks.py", tmp_path)


def test_the_interrupt_handler_allocates_nothing(tmp_path: Path) -> None:
    assert "narrow ok" in run_script("narrow.py", tmp_path)


def test_the_32_bit_build(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            need_program("node"),
            str(Path(__file__).with_name("run_wasm.mjs")),
            str(need_wasm()),
            str(ROOT),
            str(ON_NODE / "vectors.py"),
            str(ON_NODE / "narrow.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "vectors ok" in done.stdout
    assert "narrow ok: 31 bits" in done.stdout


def compile_module(path: Path, out: Path) -> int:
    """Size of the compiled module in bytes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [need_installed("mpy-cross"), "-march=armv6m", "-O2", "-s", path.name, str(path), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return out.stat().st_size


def test_every_module_compiles_within_its_budget(tmp_path: Path) -> None:
    sizes = {str(path.relative_to(PACKAGE)): compile_module(path, tmp_path / "x.mpy") for path in modules()}
    assert len(sizes) >= 12
    assert {name: size for name, size in sizes.items() if size > MOST_EACH} == {}
    assert sum(sizes.values()) <= MOST_ALL, sizes


def test_flash_copies_every_module_that_the_node_needs() -> None:
    listed = (PACKAGE / "flash.sh").read_text().split("modules=(")[1].split(")")[0].split()
    assert {f"{name}.py" for name in listed} == {str(path.relative_to(PACKAGE)) for path in modules()}


def test_flash_without_a_board_says_what_to_do(tmp_path: Path) -> None:
    need_installed("mpremote")
    done = subprocess.run(
        ["bash", str(PACKAGE / "flash.sh"), str(tmp_path / "ttyACM0")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no board found" in done.stderr
    assert "make flash PORT=" in done.stderr


@pytest.mark.parametrize("heap", ["100k"])
def test_the_compiled_modules_run_in_less_memory_than_a_pico_has(tmp_path: Path, heap: str) -> None:
    """The simulation runs from its source; what flash.sh would copy, from its compiled form."""
    for path in modules():
        compile_module(path, tmp_path / "firmware_scripts" / path.relative_to(PACKAGE).with_suffix(".mpy"))
    shutil.copytree(
        PACKAGE / "sim", tmp_path / "firmware_scripts" / "sim", ignore=shutil.ignore_patterns("__pycache__")
    )
    script = tmp_path / "hours.py"
    script.write_text(
        "import sys\nsys.path.append('.')\n"
        "from firmware_scripts.sim.run_node import replace_modules\n"
        "from firmware_scripts.sim.world import WORLD\n"
        "WORLD.factor = 0\nreplace_modules()\n"
        "from firmware_scripts.board import Pico\nfrom firmware_scripts.main import assemble\n"
        "class Wire:\n"
        "    sent = 0\n"
        "    def read(self, size=0):\n        return None\n"
        "    def write(self, data):\n        self.sent += 1\n        return len(data)\n"
        "WORLD.link = Wire()\nWORLD.set({'echo_us': {'3': 7300}})\n"
        "board = Pico()\nnode = assemble(board)\n"
        "while WORLD.now_us() < 6 * 3600 * 1000000:\n    board.idle(node.poll())\n"
        "assert WORLD.link.sent == 1 + 6 * 720, WORLD.link.sent\nprint('hours ok')\n"
    )
    (tmp_path / "wiring.json").write_text(
        '{"node": "T01", "link": {"kind": "uart"}, "probes": [{"kind": "ds", "trig": 2, "echo": 3}]}'
    )
    done = subprocess.run(
        [need_installed("micropython"), "-X", f"heapsize={heap}", "hours.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "hours ok" in done.stdout, done.stdout + done.stderr
