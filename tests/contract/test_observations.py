"""What every history store must do; one suite, run on each of them."""

import multiprocessing
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_service.services.ports import Bucket, Observation, Observations, Points, SeriesKey
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.influx import InfluxObservations
from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp
from ingest_service.storage.influx_lines import Label
from ingest_service.storage.influx_setup import prepare
from tests.support.influx import Influx

LEVEL = SeriesKey("be-1", "level_m")
FLOW = SeriesKey("be-1", "flow_lpm")
Open = Callable[[], Observations]


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with Influx(tmp_path_factory.mktemp("influx")) as server:
        yield server


def open_influx(url: str, bucket: str) -> InfluxObservations:
    http = InfluxHttp(InfluxAddress(url, bucket))
    prepare(http)
    labels = {"be-1": Label("lung sau", "tank")}
    return InfluxObservations(http, lambda: labels)


@pytest.fixture(params=["embedded", "influx"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again, as another process would."""
    opened: list[Observations] = []
    url = request.getfixturevalue("influx").url if request.param == "influx" else ""
    bucket = f"test-{uuid.uuid4().hex}/raw"

    def open_store() -> Observations:
        opened.append(open_influx(url, bucket) if url else EmbeddedObservations(tmp_path / "data" / "history.sqlite3"))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Open) -> Observations:
    return reopen()


def run_of(key: SeriesKey, *rows: tuple[int, float | None, int]) -> Points:
    return Points(key, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def test_an_empty_store_answers_with_nothing(store: Observations) -> None:
    assert store.latest([LEVEL]) == {}
    assert store.read(LEVEL, 0, 10**15) == run_of(LEVEL)
    assert store.before(LEVEL, 10**15, 5) == run_of(LEVEL)
    assert store.series() == []
    assert store.aggregate(LEVEL, 0, 20, 10) == [
        Bucket(0, None, None, None, None, 0),
        Bucket(10, None, None, None, None, 0),
    ]


def test_what_was_written_is_there_for_another_process(store: Observations, reopen: Open) -> None:
    store.write([run_of(LEVEL, (1000, 1.25, 1), (2000, None, 9)), run_of(FLOW, (1000, 0.1, 3))])
    other = reopen()
    assert other.read(LEVEL, 0, 3000) == run_of(LEVEL, (1000, 1.25, 1), (2000, None, 9))
    assert other.series() == [FLOW, LEVEL]


def test_a_range_takes_its_beginning_without_its_end(store: Observations) -> None:
    store.write([run_of(LEVEL, (1000, 1.0, 1), (2000, 2.0, 1), (3000, 3.0, 1))])
    assert store.read(LEVEL, 1000, 3000).at_ms == [1000, 2000]
    assert store.before(LEVEL, 3000, 1) == run_of(LEVEL, (2000, 2.0, 1))
    assert store.before(LEVEL, 3001, 2).at_ms == [2000, 3000]


def test_a_repeat_changes_nothing_and_a_correction_replaces(store: Observations) -> None:
    for _ in range(2):
        store.write([run_of(LEVEL, (1000, 1.0, 2), (2000, None, 9))])
    assert store.read(LEVEL, 0, 9000) == run_of(LEVEL, (1000, 1.0, 2), (2000, None, 9))
    store.write([run_of(LEVEL, (1000, 1.0, 1), (2000, 0.5, 1))])
    assert store.read(LEVEL, 0, 9000) == run_of(LEVEL, (1000, 1.0, 1), (2000, 0.5, 1))


def test_one_series_may_stand_in_a_batch_more_than_once(store: Observations) -> None:
    store.write([run_of(LEVEL, (1000, 1.0, 1)), run_of(FLOW, (1000, 9.0, 1)), run_of(LEVEL, (500, 0.5, 1))])
    assert store.read(LEVEL, 0, 9000) == run_of(LEVEL, (500, 0.5, 1), (1000, 1.0, 1))


def test_latest_is_the_newest_instant_whatever_came_last(store: Observations) -> None:
    store.write([run_of(LEVEL, (5000, 5.0, 1))])
    store.write([run_of(LEVEL, (1000, 1.0, 1)), run_of(FLOW, (7000, None, 9))])
    asked = [LEVEL, FLOW, SeriesKey("nowhere", "level_m")]
    assert store.latest(asked) == {LEVEL: Observation(5000, 5.0, 1), FLOW: Observation(7000, None, 9)}
    assert store.latest([]) == {}


def test_an_aggregate_counts_good_observations_only(store: Observations) -> None:
    rows = [(100, 1.0, 1), (200, 3.0, 1), (250, 99.0, 4), (299, None, 9), (300, 7.0, 1), (500, 50.0, 3), (700, 8.0, 1)]
    store.write([run_of(LEVEL, *rows)])
    assert store.aggregate(LEVEL, 100, 650, 200) == [
        Bucket(100, 1.0, 3.0, 2.0, 3.0, 2),
        Bucket(300, 7.0, 7.0, 7.0, 7.0, 1),
        Bucket(500, None, None, None, None, 0),
    ]


def test_the_last_of_a_step_is_its_newest_not_its_greatest(store: Observations) -> None:
    store.write([run_of(LEVEL, (0, 9.0, 1), (1, 2.0, 1), (2, 4.0, 1))])
    assert store.aggregate(LEVEL, 0, 10, 10) == [Bucket(0, 2.0, 9.0, 5.0, 4.0, 3)]


def test_close_is_harmless_twice(store: Observations) -> None:
    store.write([run_of(LEVEL, (1, 1.0, 1))])
    store.close()
    store.close()


def test_names_in_any_letters_are_kept_apart(store: Observations) -> None:
    keys = [SeriesKey("node:lung-sau/T01", "battery_v"), SeriesKey("bể 'lớn', \"1\"\\", "level_m")]
    store.write([run_of(key, (n, float(n), 1)) for n, key in enumerate(keys)])
    assert store.latest(keys) == {key: Observation(n, float(n), 1) for n, key in enumerate(keys)}


# Neighbours that meet, and the ends of what every store can hold (InfluxDB ends in 2262).
instants = st.integers(0, 10**7) | st.sampled_from([10**12, 9 * 10**12])
points = st.dictionaries(
    instants, st.tuples(st.none() | st.floats(-1e12, 1e12), st.sampled_from([1, 2, 3, 4, 9])), max_size=20
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(points, max_size=4), number=st.integers(0, 10**9))
def test_a_store_is_a_map_from_instant_to_observation(
    store: Observations, batches: list[dict[int, tuple[float | None, int]]], number: int
) -> None:
    key = SeriesKey(f"any-{number}", "level_m")
    model = dict(zip(*_columns(store.read(key, 0, 10**14)), strict=True))
    for batch in batches:
        rows = [(at_ms, value, qc) for at_ms, (value, qc) in sorted(batch.items())]
        store.write([run_of(key, *rows)])
        model |= batch
    assert store.read(key, 0, 10**14) == run_of(key, *[(at, value, qc) for at, (value, qc) in sorted(model.items())])


def _columns(found: Points) -> tuple[list[int], list[tuple[float | None, int]]]:
    return found.at_ms, list(zip(found.value, found.qc, strict=True))


def _write_many(store: Observations, worker: int, rounds: int) -> None:
    for n in range(rounds):
        shared = run_of(SeriesKey("shared", "level_m"), (n * 10 + worker, float(worker), 1))
        store.write([shared, run_of(SeriesKey(f"own-{worker}-{n % 7}", "level_m"), (n, float(n), 1))])


def _write_in_process(path: Path, worker: int) -> None:
    store = EmbeddedObservations(path)
    _write_many(store, worker, 60)
    store.close()


def test_several_writers_and_readers_at_once_agree(store: Observations) -> None:
    threads = [threading.Thread(target=_write_many, args=(store, worker, 60)) for worker in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.read(SeriesKey("shared", "level_m"), 0, 10**6)
    expected = {n * 10 + worker for n in range(60) for worker in range(4)}
    assert set(store.read(SeriesKey("shared", "level_m"), 0, 10**6).at_ms) == expected
    assert len(store.series()) == 1 + 4 * 7


def test_several_writer_processes_open_one_new_file_and_agree(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.sqlite3"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_in_process, args=(path, worker)) for worker in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join(60)
    assert [process.exitcode for process in workers] == [0, 0, 0]
    store = EmbeddedObservations(path)
    assert len(store.read(SeriesKey("shared", "level_m"), 0, 10**6).at_ms) == 180
    assert len(store.series()) == 1 + 3 * 7
    store.close()
    check = sqlite3.connect(path)
    assert check.execute("pragma integrity_check").fetchone() == ("ok",)
    check.close()
