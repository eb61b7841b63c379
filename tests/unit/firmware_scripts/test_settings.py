"""Settings: what a cut, a damaged file, a full flash and a talkative gateway do to them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_scripts.settings import Settings


def fresh(path: Path) -> Settings:
    settings = Settings(lambda: None, str(path))
    settings.load()
    return settings


def test_first_start_has_the_factorys_values(tmp_path: Path) -> None:
    settings = fresh(tmp_path / "config.json")
    assert (settings.interval_ms, settings.zero, settings.scale, settings.boots) == (5000, {}, {}, 1)
    assert not settings.corrupt


def test_what_is_set_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    settings = fresh(path)
    settings.interval_ms = 60000
    settings.zero["hd"] = 1007
    settings.scale["fp"] = [1000, 450]
    settings.changed()
    settings.flush(10)
    again = fresh(path)
    assert (again.interval_ms, again.zero, again.scale, again.boots) == (60000, {"hd": 1007}, {"fp": [1000, 450]}, 2)
    assert again.crc() == settings.crc() != fresh(tmp_path / "none.json").crc()


def test_the_flash_is_written_at_most_once_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    settings = fresh(path)
    writes = 0
    last = b""
    for up_ms in range(0, 600_000, 100):
        settings.interval_ms = 1000 + up_ms
        settings.changed()
        settings.flush(up_ms)
        content = path.read_bytes()
        writes += content != last
        last = content
    assert writes == 10


def test_a_node_that_starts_again_and_again_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for _ in range(5):
        settings = fresh(path)
        settings.flush(59_000)
        assert not path.exists()
    settings.flush(60_000)
    assert fresh(path).boots == 2


@given(st.binary(max_size=300))
def test_a_damaged_file_gives_the_factorys_values_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("flash") / "config.json"
    path.write_bytes(junk)
    settings = fresh(path)
    assert settings.corrupt == bool(junk)
    assert (settings.interval_ms, settings.zero, settings.scale, settings.boots) == (5000, {}, {}, 1)


@given(st.integers(0, 200), st.integers(0, 7))
def test_every_flipped_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("flash") / "config.json"
    settings = fresh(path)
    settings.zero["hd"] = 1007
    settings.write(0)
    content = bytearray(path.read_bytes())
    at %= len(content) - 1  # the last line end says nothing
    content[at] ^= 1 << bit
    path.write_bytes(content)
    again = fresh(path)
    assert again.corrupt or again.zero == {"hd": 1007}  # a CRC digit in lower case is the same digit
    assert not again.corrupt or again.interval_ms == 5000


@pytest.mark.parametrize("kept", range(0, 90, 10))
def test_a_power_cut_while_writing_leaves_the_old_file(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "config.json"
    settings = fresh(path)
    settings.interval_ms = 60000
    settings.write(0)
    half = path.read_bytes()[:kept]
    (tmp_path / "config.json.new").write_bytes(half)
    assert fresh(path).interval_ms == 60000


def test_a_full_flash_is_flagged_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "flash"
    folder.mkdir()
    settings = fresh(folder / "config.json")
    settings.interval_ms = 60000
    settings.changed()
    folder.rmdir()
    settings.flush(1000)
    assert settings.corrupt
    folder.mkdir()
    settings.flush(2000)
    assert not (folder / "config.json").exists()
    settings.flush(61_000)
    assert fresh(folder / "config.json").interval_ms == 60000


def test_the_command_that_caused_a_start_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    settings = fresh(path)
    settings.reboot_tag = 22
    settings.write(0)
    again = Settings(lambda: None, str(path))
    assert again.load() == 22
    again.flush(0)
    third = Settings(lambda: None, str(path))
    assert third.load() == -1
    assert third.boots == 3


def test_the_disk_is_told_before_and_after_the_rename(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    seen: list[bool] = []
    settings = Settings(lambda: seen.append(path.exists()), str(path))
    settings.load()
    settings.write(0)
    assert seen == [False, True]
