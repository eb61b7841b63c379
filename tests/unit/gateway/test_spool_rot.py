"""Rows that have changed on the card although the file is still sound; files of earlier versions."""

import random
import sqlite3
from pathlib import Path

import pytest

from gateway.spool import Spool
from tests.unit.gateway.spool_support import BOOT, PROMPT, START_MS, execute, fill, read_all

VERSION_1 = """
PRAGMA page_size = 1024;
CREATE TABLE entry(
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL, stamp INTEGER NOT NULL,
  boot INTEGER NOT NULL, node TEXT NOT NULL, readings INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE boot(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
INSERT INTO boot VALUES(1, 'boot-1');
INSERT INTO meta VALUES('counters',
  '{"committed_frames":5,"committed_readings":9,"forgotten_frames":2,"forgotten_readings":4,"thinned":0,"next_id":6}');
INSERT INTO meta VALUES('state:T01', 'word');
INSERT INTO entry VALUES(3, 1793491200000, 1000, 1, 1, 'T01', 1, CAST('T01 distance_m=1' AS BLOB));
INSERT INTO entry VALUES(4, 5, 2000, 0, 1, 'T01', 2, CAST('T01 distance_m=2' AS BLOB));
INSERT INTO entry VALUES(5, 1793491202000, 3000, 1, 1, 'T01', 2, CAST('T01 distance_m=3' AS BLOB));
PRAGMA user_version = 1;
"""
KEPT = [(1793491200000, b"T01 distance_m=1"), (1793491202000, b"T01 distance_m=3")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


def write_over(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def make_file(path: Path, count: int, **facts: object) -> list[tuple[int, bytes]]:
    """Frames numbered from 1000, and what they read as."""
    spool = Spool.open(path, PROMPT)
    fill(spool, count, first=1000, **facts)
    spool.commit()
    frames = read_all(spool)
    spool.close()
    return frames


def test_a_body_that_changed_is_set_aside_and_the_rest_goes_on(path: Path) -> None:
    frames = make_file(path, 300)
    write_over(path, b"distance_m=1150", b"distance_m=1750")
    write_over(path, b"distance_m=1299", b"distance_m=12\xff9")
    spool = Spool.open(path, PROMPT)
    assert [stored.body for stored in spool.read_newest(())] == [frames[298][1]]
    assert read_all(spool) == frames[:150] + frames[151:299]
    assert spool.seconds_to_commit() == 0
    assert spool.commit()
    assert (spool.counters().damaged, spool.depth()) == (2, 298)
    assert read_all(spool) == frames[:150] + frames[151:299]
    assert spool.seconds_to_commit() is None
    fill(spool, 1)
    assert spool.commit()
    spool.close()
    db = sqlite3.connect(path)
    assert [bytes(row[0]) for row in db.execute("SELECT body FROM damaged")] == [
        b"T01 distance_m=1750",
        b"T01 distance_m=12\xff9",
    ]
    db.close()


def test_a_late_believable_clock_does_not_whitewash_a_changed_row(path: Path) -> None:
    make_file(path, 3, believed=False)
    write_over(path, b"distance_m=1001", b"distance_m=1007")
    spool = Spool.open(path, PROMPT)
    spool.restamp(BOOT, 5_000_000)
    spool.commit()
    assert read_all(spool) == [(5_000_000 + n * 60_000, b"T01 distance_m=%d" % n) for n in (1000, 1002)]
    spool.commit()
    assert spool.counters().damaged == 1
    spool.close()


def test_a_file_of_the_first_version_is_carried_on(path: Path) -> None:
    execute(path, VERSION_1)
    for _ in range(2):
        spool = Spool.open(path, PROMPT)
        assert read_all(spool) == KEPT
        assert (spool.state()["T01"], spool.depth(), spool.held) == ("word", 3, 1)
        spool.close()
    spool = Spool.open(path, PROMPT)
    spool.restamp(BOOT, START_MS)
    fill(spool, 1)
    spool.commit()
    assert read_all(spool) == [
        KEPT[0],
        (START_MS + 2000, b"T01 distance_m=2"),
        KEPT[1],
        (START_MS, b"T01 distance_m=0"),
    ]
    spool.forget([3, 4, 5, 6])
    spool.commit()
    assert (spool.counters().forgotten_frames, spool.depth()) == (6, 0)
    spool.close()


def test_a_damaged_file_of_the_first_version_is_rescued(path: Path) -> None:
    execute(path, VERSION_1)
    execute(path, "CREATE TABLE more(x); INSERT INTO more VALUES(zeroblob(9000));")
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + b"\xff" * 4096)
    spool = Spool.open(path, PROMPT)
    assert list(path.parent.glob("spool.db.damaged-*Z"))
    assert read_all(spool) == KEPT
    spool.close()


def test_counters_that_became_nonsense_do_not_stop_the_gateway(path: Path) -> None:
    frames = make_file(path, 5)
    write_over(path, b'{"committed_frames"', b'{"committed_fr\xffmes"')
    spool = Spool.open(path, PROMPT)
    assert read_all(spool) == frames
    assert spool.depth() == 5
    fill(spool, 1)
    assert spool.commit()
    assert len(read_all(spool)) == 6
    spool.close()


def flip_bits(path: Path, flips: int, seed: int) -> None:
    frames = make_file(path, 120)
    sound = path.read_bytes()
    dice = random.Random(seed)
    complete = 0
    for _ in range(flips):
        content = bytearray(sound)
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        for file in path.parent.glob("spool.db*"):
            file.unlink()
        path.write_bytes(content)
        spool = Spool.open(path, PROMPT)
        given = read_all(spool)
        assert set(given) <= set(frames)
        fill(spool, 1)
        assert spool.commit() or spool.commit()  # the first may be what comes upon the damage
        spool.close()
        complete += given == frames
    assert complete < flips


def test_wherever_one_bit_flips_nothing_wrong_is_given_out(path: Path) -> None:
    flip_bits(path, 100, 5)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(4))
def test_wherever_many_bits_flip_one_by_one_nothing_wrong_is_given_out(path: Path, seed: int) -> None:
    flip_bits(path, 400, seed)
