"""The outbox: what is committed stays, what is answered goes, whatever happens to the disk."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.spool import Counters, Limits, Spool
from tests.unit.gateway.spool_support import BOOT, PROMPT, START_MS, execute, fill, make_entry, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool.open(path, PROMPT)
    yield spool
    spool.close()


def test_committed_frames_and_state_survive_closing(path: Path, spool: Spool) -> None:
    fill(spool, 3)
    assert spool.commit()
    spool.close()
    again = Spool.open(path)
    assert read_all(again) == [(START_MS + n * 60_000, b"T01 distance_m=%d" % n) for n in range(3)]
    assert again.state() == {"T01": "2"}
    assert again.counters() == Counters(committed_frames=3, committed_readings=3, next_id=4)
    again.close()


def test_what_is_not_committed_is_not_offered(spool: Spool) -> None:
    fill(spool, 1)
    assert (spool.take_fresh(), read_all(spool), spool.depth()) == ([], [], 1)
    spool.commit()
    assert [stored.body for stored in spool.take_fresh()] == [b"T01 distance_m=0"]
    assert spool.take_fresh() == []


def test_a_commit_is_due_only_when_there_is_something_to_write(path: Path, spool: Spool) -> None:
    assert spool.seconds_to_commit() is None
    before = path.with_name("spool.db-wal").stat().st_mtime_ns
    assert spool.commit()
    assert path.with_name("spool.db-wal").stat().st_mtime_ns == before
    fill(spool, 1)
    assert spool.seconds_to_commit() is not None
    spool.commit()
    assert spool.seconds_to_commit() is None


def test_many_frames_are_committed_without_waiting(path: Path) -> None:
    spool = Spool.open(path, Limits(commit_interval_s=3600, commit_entries=10))
    fill(spool, 25)
    assert spool.counters().committed_frames == 20
    spool.close()


def test_answered_frames_are_forgotten_and_counted_once(path: Path, spool: Spool) -> None:
    fill(spool, 3)
    spool.commit()
    first, second, third = spool.take_fresh()
    spool.forget([first.id, third.id])
    spool.forget([first.id, 999])
    assert [stored.id for stored in spool.read_oldest(0, 100, ())] == [second.id]
    spool.commit()
    spool.forget([first.id])
    spool.commit()
    assert (spool.counters().forgotten_frames, spool.counters().forgotten_readings, spool.depth()) == (2, 2, 1)


def test_reading_respects_bound_cursor_and_exclusion(spool: Spool) -> None:
    fill(spool, 5)
    spool.commit()
    ids = [stored.id for stored in spool.read_oldest(0, 2, ())]
    assert len(ids) == 2
    assert [stored.id for stored in spool.read_oldest(0, 2, ids)] == [ids[1] + 1, ids[1] + 2]
    assert [stored.id for stored in spool.read_oldest(ids[1] + 2, 100, ())] == [ids[1] + 3]
    assert len(spool.read_oldest(0, 0, ())) == 1  # one frame always goes, however many readings it holds


def test_ids_are_never_used_twice(path: Path, spool: Spool) -> None:
    fill(spool, 3)
    spool.commit()
    used = {stored.id for stored in spool.take_fresh()}
    spool.forget(used)
    spool.close()
    again = Spool.open(path)
    fill(again, 1)
    again.commit()
    assert {stored.id for stored in again.take_fresh()}.isdisjoint(used)
    again.close()


class TestClock:
    def test_unbelieved_frames_wait_for_the_clock(self, spool: Spool) -> None:
        fill(spool, 2, believed=False)
        spool.commit()
        fill(spool, 1, first=2, believed=False)
        assert (spool.take_fresh(), read_all(spool), spool.held) == ([], [], 2)
        spool.restamp(BOOT, 5_000_000)
        spool.commit()
        stored = spool.read_oldest(0, 100, ())
        assert [(one.at_ms, one.believed) for one in stored] == [(5_000_000 + n * 60_000, True) for n in range(3)]
        assert spool.held == 0

    def test_frames_of_an_earlier_boot_are_not_restamped_but_go_marked(self, spool: Spool) -> None:
        fill(spool, 2, believed=False, boot="boot-0")
        spool.commit()
        spool.restamp(BOOT, 5_000_000)
        spool.commit()
        assert read_all(spool) == []
        spool.release(BOOT, 0)
        spool.commit()
        assert [(one.at_ms, one.believed) for one in spool.read_oldest(0, 100, ())] == [
            (START_MS, False),
            (START_MS + 60_000, False),
        ]

    def test_frames_held_for_long_go_marked_and_keep_their_instant(self, spool: Spool) -> None:
        fill(spool, 3, believed=False)
        spool.commit()
        spool.release(BOOT, 60_001)
        spool.commit()
        spool.restamp(BOOT, 5_000_000)
        spool.commit()
        stored = spool.read_oldest(0, 100, ())
        assert [(one.at_ms, one.believed) for one in stored] == [
            (START_MS, False),
            (START_MS + 60_000, False),
            (5_120_000, True),
        ]

    def test_without_hope_of_a_clock_they_go_marked_at_once(self, spool: Spool) -> None:
        spool.hold(wait=False)
        fill(spool, 1, believed=False)
        spool.commit()
        assert [(one.at_ms, one.believed) for one in spool.take_fresh()] == [(START_MS, False)]
        assert spool.held == 0

    def test_releasing_nothing_writes_nothing(self, spool: Spool) -> None:
        fill(spool, 1, believed=False)
        spool.commit()
        spool.release(BOOT, 0)
        assert spool.seconds_to_commit() is None

    def test_a_believed_clock_writes_nothing(self, spool: Spool) -> None:
        spool.restamp(BOOT, 5_000_000)
        assert spool.seconds_to_commit() is None

    def test_held_frames_are_known_after_a_restart(self, path: Path, spool: Spool) -> None:
        fill(spool, 2, believed=False)
        spool.close()
        again = Spool.open(path)
        assert again.held == 2
        again.close()


class TestThinning:
    def test_the_old_is_thinned_and_the_new_stays(self, path: Path) -> None:
        spool = Spool.open(path, Limits(max_bytes=200_000))
        for number in range(20_000):
            spool.append(make_entry(number // 2, f"T0{number % 2 + 1}", step_ms=10_000), {})
        spool.commit()
        counters, kept = spool.counters(), spool.read_oldest(0, 10**9, ())
        assert spool.used_bytes() <= 210_000
        assert counters.committed_frames == 20_000
        assert counters.thinned == 20_000 - len(kept)
        assert kept[-1].at_ms == START_MS + 9999 * 10_000
        assert {stored.at_ms for stored in kept[-1000:]} == {START_MS + (9999 - n) * 10_000 for n in range(500)}
        old = [stored.at_ms for stored in kept if stored.body.startswith(b"T01")][:20]
        assert statistics.median(b - a for a, b in itertools.pairwise(old)) >= 500_000
        spool.close()

    def test_each_node_keeps_its_own(self, path: Path) -> None:
        spool = Spool.open(path, Limits(max_bytes=100_000))
        for number in range(6000):
            spool.append(make_entry(number, "RARE" if number % 400 == 0 else "T01", step_ms=10_000), {})
        spool.commit()
        rare = [stored for stored in spool.read_oldest(0, 10**9, ()) if stored.body.startswith(b"RARE")]
        assert spool.counters().thinned > 3000
        assert len(rare) == 15
        spool.close()

    def test_a_tiny_cap_drops_the_oldest_but_never_the_new(self, path: Path) -> None:
        spool = Spool.open(path, Limits(max_bytes=1, commit_entries=100))
        fill(spool, 350)
        fill(spool, 1, first=350)
        assert spool.depth() < 350
        assert spool.counters().thinned > 0
        spool.close()


class TestDamage:
    def test_a_file_of_noise_is_set_aside(self, path: Path) -> None:
        path.write_bytes(os.urandom(50_000))
        spool = Spool.open(path)
        fill(spool, 1)
        assert spool.commit()
        assert len(list(path.parent.glob("spool.db.damaged-*Z"))) == 1
        spool.close()

    def test_what_is_readable_of_a_damaged_file_is_carried_over(self, path: Path, spool: Spool) -> None:
        fill(spool, 3000)
        spool.close()
        content = bytearray(path.read_bytes())
        middle = len(content) // 2 // 1024 * 1024
        content[middle : middle + 4096] = b"\xff" * 4096
        path.write_bytes(content)
        again = Spool.open(path)
        kept = read_all(again)
        assert 2000 < len(kept) < 3000
        assert kept[0][1] == b"T01 distance_m=0"
        assert kept[-1][1] == b"T01 distance_m=2999"
        assert again.state() == {"T01": "2999"}
        assert again.depth() == len(kept)
        fill(again, 1)
        assert again.commit()
        again.close()

    def test_a_truncated_file_is_carried_on(self, path: Path, spool: Spool) -> None:
        fill(spool, 3000)
        spool.close()
        os.truncate(path, path.stat().st_size // 2 // 1024 * 1024)
        again = Spool.open(path)
        fill(again, 1)
        assert again.commit()
        again.close()

    def test_damage_while_running_loses_no_state(self, path: Path, spool: Spool) -> None:
        fill(spool, 20_000)
        spool.close()
        spool = Spool.open(path, PROMPT)
        fill(spool, 1, first=20_000)
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(50 * 1024)
            file.write(b"\xff" * (size // 2))
        assert spool.read_oldest(0, 5000, ()) == []  # it has met the damage
        assert "malformed" in spool.trouble
        assert spool.commit()
        assert spool.trouble == ""
        assert spool.state() == {"T01": "20000"}
        assert read_all(spool)[-1] == (START_MS + 20_000 * 60_000, b"T01 distance_m=20000")
        assert 5000 < spool.depth() < 19_000
        spool.close()
        again = Spool.open(path)
        assert again.state() == {"T01": "20000"}
        again.close()

    def test_few_damaged_files_are_kept(self, path: Path) -> None:
        for _ in range(4):
            path.write_bytes(b"no database" * 1000)
            Spool.open(path).close()
        assert len(list(path.parent.glob("spool.db.damaged-*Z"))) == 2


def fill_disk(blocks: Path) -> None:
    with contextlib.suppress(OSError), blocks.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_second_gateway_on_the_same_spool_is_refused(path: Path, spool: Spool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Spool.open(path)


class TestFullDisk:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of 600 kB."""
        folder = tmp_path / "small"
        folder.mkdir()
        if os.geteuid() != 0:
            pytest.skip("only root may mount a small file system")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], check=True)
        yield folder
        subprocess.run(["umount", folder], check=True)

    def test_it_keeps_the_newest_in_memory_says_so_and_recovers(self, small: Path) -> None:
        spool = Spool.open(small / "spool.db", Limits(commit_interval_s=0.01, memory_entries=50))
        fill(spool, 20)
        assert spool.commit()
        blocks = small / "film.mp4"
        fill_disk(blocks)
        number = 20
        while spool.commit():
            fill(spool, 20, first=number)
            number += 20
        assert re.search("full|disk", spool.trouble)
        committed = spool.counters().committed_frames
        fill(spool, 200, first=number)
        assert spool.dropped == number + 200 - committed - 50
        fresh = spool.take_fresh()
        assert fresh[-1].body == b"T01 distance_m=%d" % (number + 199)
        spool.forget([fresh[-1].id])  # sent from memory, answered: need not be written any more
        blocks.unlink()
        assert spool.commit()
        assert spool.trouble == ""
        spool.close()
        again = Spool.open(small / "spool.db")
        kept = read_all(again)
        assert len(kept) == committed + 49
        assert again.state() == {"T01": str(number + 199)}
        assert kept[-1][1] == b"T01 distance_m=%d" % (number + 198)
        again.close()


WRITER = """
import sys
from pathlib import Path
from gateway.spool import Limits, Spool
from tests.unit.gateway.spool_support import fill
spool = Spool.open(Path(sys.argv[1]), Limits(commit_interval_s=3600))
number = int(spool.state().get("T01", -1)) + 1
while True:
    fill(spool, 5, first=number)
    spool.commit()
    print(number + 4, spool.counters().committed_frames, flush=True)
    spool.forget([stored.id for stored in spool.take_fresh() if stored.id % 2])
    number += 5
"""


def test_a_kill_at_any_instant_keeps_frames_state_and_totals_together(path: Path) -> None:
    Spool.open(path).close()
    execute(
        path,
        "CREATE TABLE audit(body);CREATE TRIGGER a AFTER INSERT ON entry BEGIN INSERT INTO audit VALUES(new.body); END",
    )
    confirmed = -1
    for kill in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(20 + kill * 37):
            confirmed = int(writer.stdout.readline().split()[0])
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:
            confirmed = int(line.split()[0])
        writer.stdout.close()
        writer.wait()
    copy = shutil.copytree(path.parent, path.parent.parent / "copy") / "spool.db"
    db = sqlite3.connect(copy)
    bodies = [body for (body,) in db.execute("SELECT body FROM audit ORDER BY rowid")]
    db.close()
    spool = Spool.open(path)
    last, counters = int(spool.state()["T01"]), spool.counters()
    assert last >= confirmed
    assert bodies == [b"T01 distance_m=%d" % number for number in range(last + 1)]
    assert counters.committed_frames == counters.committed_readings == last + 1
    assert counters.depth == len(read_all(spool))
    spool.close()
