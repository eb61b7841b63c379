"""`listen` with a real InfluxDB as its history: kills, slow answers, points that it refuses, what it lacks."""

import json
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_service.services.ports import (
    Bucket,
    Observation,
    Points,
    PointsRefusedError,
    SeriesKey,
    StoreUnavailableError,
)
from ingest_service.storage.influx import InfluxObservations
from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp
from ingest_service.storage.influx_lines import Label
from ingest_service.storage.influx_setup import InfluxSetupError, prepare
from tests.live.ingest_parts import Sender, Server, flow, make_pack
from tests.support.broker import Mosquitto
from tests.support.influx import Influx
from tests.support.wait import until

NOW_S = int(time.time()) - 3600
LEVEL = SeriesKey("be-1", "level_m")
PER_PACK = 25


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influx]:
    with Influx(tmp_path / "influx") as server:
        yield server


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    with Mosquitto(tmp_path) as broker:
        yield broker.port


def test_kills_of_influx_and_listen_lose_nothing(influx: Influx, mosquitto: int, tmp_path: Path) -> None:
    random.seed(7)
    began_s = NOW_S - 30 * 86_400
    packs = {f"p{n}": make_pack(began_s + PER_PACK * n, n / 100, count=PER_PACK) for n in range(1200)}
    ids = list(packs)
    with Server(tmp_path / "data", mosquitto, influx_url=influx.url) as server, Sender(mosquitto) as sender:
        server.load_places()
        server.start()
        killed, failed = threading.Event(), []

        def deliver() -> None:
            try:
                for first in range(0, len(ids), 150):
                    wave = {pack_id: packs[pack_id] for pack_id in ids[first : first + 150]}
                    sender.deliver(wave, timeout_s=60, repeat_s=0.5)
                while not killed.is_set():  # keep the load up until the last kill
                    sender.answers.clear()
                    sender.deliver(wave, timeout_s=60, repeat_s=0.5)
            except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
                failed.append(error)

        loader = threading.Thread(target=deliver)
        loader.start()
        for number in range(6):
            time.sleep(random.uniform(0.2, 1.0))  # the instant is to be random: there is no event to wait for
            influx.kill()
            if number % 2:
                server.processes[-1].kill()
            influx.start()
            if number % 2:
                server.start()
        killed.set()
        loader.join()
        assert not failed, failed
        stored = flow(server)
        assert stored.at_ms == [(began_s + n) * 1000 for n in range(PER_PACK * len(packs))]
        assert stored.value == [round(n / 100 + k / 1000, 3) for n in range(len(packs)) for k in range(PER_PACK)]
        assert server.records.count_rejects() == {}


def test_slow_answers_leave_packs_unanswered(influx: Influx, mosquitto: int, tmp_path: Path) -> None:
    settings = {"influx_url": influx.url, "influx_timeout_s": "0.5"}
    with Server(tmp_path / "data", mosquitto, **settings) as server, Sender(mosquitto) as sender:
        server.load_places()
        process = server.start()
        sender.deliver({"first": make_pack(NOW_S, 1)})
        influx.hold()
        sender.publish(make_pack(NOW_S + 1, 2), "second")
        until(lambda: "the store takes nothing" in server.said(), 20)
        assert sender.answers == {"first": "ok"}
        influx.go_on()
        until(lambda: sender.answers.get("second") == "ok", 30)
        assert flow(server).value == [1.0, 2.0]
        assert process.poll() is None


def test_what_influx_refuses_is_kept_and_hurts_nobody(influx: Influx, mosquitto: int, tmp_path: Path) -> None:
    old_s = NOW_S - 300 * 86_400
    with Server(tmp_path / "data", mosquitto, influx_url=influx.url) as server, Sender(mosquitto) as sender:
        server.load_places()
        server.start()
        sender.deliver({"warm": make_pack(NOW_S - 1, 9)})
        # In the shard of that time the field is a text now, so no number can go there.
        influx.write("monuoc/raw", f'observation,asset=foreign value="text" {old_s * 1000}')
        poison = make_pack(old_s, 5)
        packs = {f"p{n}": make_pack(NOW_S + n, n) for n in range(40)}
        sender.deliver({**packs, "old": poison})
        assert sender.answers == {"warm": "ok", "old": "store_refused"} | dict.fromkeys(packs, "ok")
        assert flow(server).value == [9.0, *map(float, range(40))]
        [(_, reject)] = server.records.rejects()
        assert (reject.payload, reject.reason) == (poison, "store_refused")
        assert "field type conflict" in reject.detail
        [shards] = json.loads(influx.ask("show shards"))["results"][0]["series"]
        influx.ask(f"drop shard {min(shards['values'], key=lambda row: str(row[5]))[0]}")  # the oldest, to mend it
        assert server.command("retry-rejects").startswith("1 of 1 taken in")
        assert flow(server).value[0] == 5.0


def open_store(influx: Influx, labels: dict[str, Label] | None = None) -> InfluxObservations:
    http = InfluxHttp(InfluxAddress(influx.url, "monuoc/raw"))
    prepare(http)
    known = labels or {}
    return InfluxObservations(http, lambda: known)


def test_only_the_guilty_points_are_refused(influx: Influx) -> None:
    store = open_store(influx)
    bad = [float("nan") if n == 77 else n / 10 for n in range(200)]
    runs = [
        Points(SeriesKey(f"be-{k}", "level_m"), list(range(200)), list(bad if k == 3 else range(200)), [1] * 200)
        for k in range(60)
    ]
    with pytest.raises(PointsRefusedError) as error:
        store.write(runs)
    [(refused, words)] = error.value.refused
    assert (refused.key, refused.at_ms) == (SeriesKey("be-3", "level_m"), [77])
    assert "invalid number" in words
    assert len(store.series()) == 60
    for run in runs:
        kept = 199 if run.key.asset == "be-3" else 200
        assert len(store.read(run.key, 0, 1000).at_ms) == kept
    store.close()


def test_a_value_that_became_none_is_none(influx: Influx) -> None:
    store = open_store(influx)
    store.write([Points(LEVEL, [1000, 2000], [1.5, 2.5], [1, 1])])
    store.write([Points(LEVEL, [2000], [None], [9])])
    assert store.read(LEVEL, 0, 9000).value == [1.5, None]
    assert store.latest([LEVEL]) == {LEVEL: Observation(2000, None, 9)}
    assert store.before(LEVEL, 9000, 1).value == [None]
    assert store.aggregate(LEVEL, 0, 9000, 9000) == [Bucket(0, 1.5, 1.5, 1.5, 1.5, 1)]
    store.close()


def test_an_asset_that_moved_is_one_series(influx: Influx) -> None:
    before = open_store(influx, {"be-1": Label("a", "tank")})
    after = open_store(influx, {"be-1": Label("b", "tank")})
    before.write([Points(LEVEL, [1000, 2000], [1.0, 2.0], [1, 1])])
    after.write([Points(LEVEL, [2000, 3000], [5.0, 3.0], [1, 1])])
    assert after.read(LEVEL, 0, 9000) == Points(LEVEL, [1000, 2000, 3000], [1.0, 5.0, 3.0], [1, 1, 1])
    assert after.before(LEVEL, 9000, 2).value == [5.0, 3.0]
    assert after.latest([LEVEL]) == {LEVEL: Observation(3000, 3.0, 1)}
    assert after.series() == [LEVEL]
    assert after.aggregate(LEVEL, 0, 5000, 2500) == [Bucket(0, 1, 5, 3, 5, 2), Bucket(2500, 3, 3, 3, 3, 1)]
    before.close()
    after.close()


def test_a_bucket_that_goes_away_is_waited_for(influx: Influx) -> None:
    store = open_store(influx)
    influx.ask('drop database "monuoc"')
    with pytest.raises(StoreUnavailableError, match="MONUOC_INFLUX_BUCKET"):
        store.write([Points(LEVEL, [1000], [1.5], [1])])
    with pytest.raises(StoreUnavailableError, match="not found"):
        store.read(LEVEL, 0, 9000)
    influx.kill()
    for ask in (lambda: store.write([Points(LEVEL, [1], [1.5], [1])]), lambda: store.latest([LEVEL]), store.series):
        with pytest.raises(StoreUnavailableError):
            ask()
    store.close()


def test_what_is_missing_is_said_or_made(tmp_path: Path) -> None:
    with Influx(tmp_path / "guarded", auth=True) as server:

        def try_token(token: str) -> None:
            http = InfluxHttp(InfluxAddress(server.url, "monuoc/raw", token=token))
            try:
                prepare(http)
            finally:
                http.close()

        server.ask("create user chief with password 'pw' with all privileges")
        server.ask("create user reader with password 'pw'", "chief:pw")
        for wrong in ("", "chief:wrong", "nobody:pw"):
            with pytest.raises(InfluxSetupError, match="MONUOC_INFLUX_TOKEN_FILE"):
                try_token(wrong)
        with pytest.raises(InfluxSetupError, match=r'run: create database "monuoc" with .* name "raw"'):
            try_token("reader:pw")
        try_token("chief:pw")
        try_token("chief:pw")
        server.ask('grant read on "monuoc" to "reader"', "chief:pw")
        with pytest.raises(InfluxSetupError, match="right to write"):
            try_token("reader:pw")
        server.ask('grant all on "monuoc" to "reader"', "chief:pw")
        try_token("reader:pw")


def test_the_command_says_what_is_wrong(influx: Influx, tmp_path: Path) -> None:
    with Server(tmp_path / "data", 1883, influx_url=influx.url) as server:
        influx.kill()
        with pytest.raises(subprocess.CalledProcessError) as error:
            server.command("rejects")
        assert error.value.returncode == 2
        assert influx.url in error.value.stderr
        assert "Traceback" not in error.value.stderr
