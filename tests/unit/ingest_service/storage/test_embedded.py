"""The embedded history on a bad day: full, damaged, from the future, unreachable."""

import sqlite3
from pathlib import Path

import pytest

from ingest_service.services.ports import Points, SeriesKey, StoreUnavailableError
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.files import CorruptStoreError

KEY = SeriesKey("be", "level_m")


def run_of(first: int, count: int) -> list[Points]:
    return [Points(KEY, list(range(first, first + count)), [1.0] * count, [1] * count)]


def test_a_full_store_refuses_whole_batches_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    small = EmbeddedObservations(path, max_bytes=200_000)
    small.write(run_of(0, 1000))
    fresh = SeriesKey("new", "level_m")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="full"):
            small.write([*run_of(10_000, 50_000), Points(fresh, [1], [1.0], [1])])
    assert len(small.read(KEY, 0, 10**9).at_ms) == 1000
    small.write([Points(fresh, [2], [2.0], [1])])  # the id that was rolled back is not used
    assert small.read(fresh, 0, 9).value == [2.0]
    small.close()
    roomy = EmbeddedObservations(path)
    roomy.write(run_of(10_000, 50_000))
    assert len(roomy.read(KEY, 0, 10**9).at_ms) == 51_000
    roomy.close()


def test_a_file_that_is_no_database_is_named_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    path.write_bytes(b"not a database, but long enough to be looked at" * 40)
    store = EmbeddedObservations(path)
    with pytest.raises(CorruptStoreError, match="put the last backup in their place"):
        store.series()
    store.close()


def test_a_damaged_page_is_named_not_served(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    store = EmbeddedObservations(path)
    store.write(run_of(0, 20_000))
    store.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 3 :] = b"\xaa" * (len(damaged) - 4096 * 3)
    path.write_bytes(damaged)
    again = EmbeddedObservations(path)
    with pytest.raises(CorruptStoreError):
        again.read(KEY, 0, 10**9)
    again.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 99")
    database.close()
    store = EmbeddedObservations(path)
    with pytest.raises(CorruptStoreError, match="newer"):
        store.write(run_of(0, 1))
    store.close()


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = EmbeddedObservations(tmp_path / "file" / "history.sqlite3")
    with pytest.raises(StoreUnavailableError):
        store.series()


def test_another_writer_is_waited_for_only_so_long(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    store = EmbeddedObservations(path, busy_s=0.05)
    store.write(run_of(0, 1))
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("begin immediate")
    with pytest.raises(StoreUnavailableError, match="locked"):
        store.write(run_of(1, 1))
    assert store.read(KEY, 0, 9).at_ms == [0]
    hog.execute("rollback")
    hog.close()
    store.write(run_of(1, 1))
    assert store.read(KEY, 0, 9).at_ms == [0, 1]
    store.close()
