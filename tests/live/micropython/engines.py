"""The engines that tests run the node on: MicroPython for Linux, its 32-bit WebAssembly build, its compiler."""

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.programs import need_program

ROOT = Path(__file__).parents[3]
WASM = "@micropython/micropython-webassembly-pyscript@1.27.0"
WASM_SHA512 = "DnXx4EqxgkeaFESrS3uKrL7mLMk4mRTd0mMzaOd3HUSiZUOAE7t11uLnjf3ftF87N2xm4knHnWEKcVK4IYIUDA=="


def need_installed(name: str) -> str:
    """A program of the virtual environment; where it is missing CI fails and a user's machine skips."""
    return need_program(str(Path(sys.executable).parent / name), name)


def need_wasm() -> Path:
    """The WebAssembly build, fetched once by npm, its content checked against the sum written here."""
    folder = ROOT / "var" / "engines"
    engine = folder / "package" / "micropython.mjs"
    if engine.exists():
        return engine
    npm = need_program("npm")
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([npm, "pack", "--silent", WASM], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        words = f"npm could not fetch {WASM}: {done.stderr.strip()[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    archive = folder / done.stdout.strip().splitlines()[-1]
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != WASM_SHA512:
        pytest.fail(f"{archive} is not what was tested: its sha512 differs")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return engine
