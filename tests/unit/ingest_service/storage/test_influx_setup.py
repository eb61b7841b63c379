"""Preparing an InfluxDB 2, against a double of the four addresses of it that preparing asks; 1.8 is tried for real."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest_service.services.ports import Points, PointsRefusedError, SeriesKey, StoreUnavailableError
from ingest_service.storage.influx import InfluxObservations
from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp
from ingest_service.storage.influx_setup import InfluxSetupError, prepare


class Double(ThreadingHTTPServer):
    """What an InfluxDB 2 has, what its token may, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.initialised, self.token = True, "secret"
        self.buckets: list[dict[str, str]] = []
        self.orgs = [{"id": "01", "name": "village"}]
        self.may_make = self.may_write = True
        self.maps_itself = True
        self.mappings: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.write_status = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Double

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        status, said = self._find(path, asked, body)
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _find(self, path: str, asked: dict[str, list[str]], body: bytes) -> tuple[int, dict[str, Any]]:
        it = self.server
        if path == "/api/v2/setup":
            return 200, {"allowed": not it.initialised}
        if self.headers.get("Authorization") != f"Token {it.token}":
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        if path == "/api/v2/orgs":
            return 200, {"orgs": [org for org in it.orgs if [org["name"]] == asked["org"]]}
        if path == "/api/v2/buckets" and self.command == "GET":
            return 200, {"buckets": [one for one in it.buckets if [one["name"]] == asked["name"]]}
        if path in {"/api/v2/buckets", "/api/v2/dbrps"} and not it.may_make:
            return 403, {"code": "forbidden", "message": "insufficient permissions for write"}
        if path == "/api/v2/buckets":
            it.made.append(json.loads(body))
            it.buckets.append({"id": "b1", "orgID": "01", "name": it.made[-1]["name"]})
            return 201, it.buckets[-1]
        if path == "/api/v2/dbrps":
            it.mappings.append(json.loads(body))
            return 201, it.mappings[-1]
        if path == "/query":
            fields = parse_qs(body.decode())
            found = it.maps_itself or any([one["database"]] == fields["db"] for one in it.mappings)
            return 200, {"results": [{"statement_id": 0} | ({} if found else {"error": "database not found: monuoc"})]}
        assert path == "/api/v2/write"
        assert asked["precision"] == ["ms"]
        if not it.may_write:
            return 403, {"code": "forbidden", "message": "insufficient permissions for write"}
        if it.write_status:
            return it.write_status, {"code": "some", "message": "as the test wants it"}
        return 400, {"code": "invalid", "message": "writing requires points"}


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def try_it(double: Double, token: str = "secret", org: str = "village") -> None:
    http = InfluxHttp(InfluxAddress(double.url, "monuoc/raw", org, token))
    try:
        prepare(http)
    finally:
        http.close()


def test_a_missing_bucket_is_made_once(double: Double) -> None:
    try_it(double)
    try_it(double)
    [made] = double.made
    assert (made["name"], made["orgID"], made["retentionRules"][0]["everySeconds"]) == ("monuoc/raw", "01", 0)
    assert double.mappings == []


def test_a_missing_mapping_is_made(double: Double) -> None:
    double.maps_itself = False
    try_it(double)
    [made] = double.mappings
    assert made == {
        "orgID": "01", "bucketID": "b1", "database": "monuoc", "retention_policy": "raw", "default": True
    }  # fmt: skip


def test_each_lack_is_said_with_its_mend(double: Double) -> None:
    double.initialised = False
    with pytest.raises(InfluxSetupError, match="influx setup"):
        try_it(double)
    double.initialised = True
    with pytest.raises(InfluxSetupError, match="does not know the token"):
        try_it(double, token="wrong")
    with pytest.raises(InfluxSetupError, match="no organisation 'nobody'"):
        try_it(double, org="nobody")
    double.may_make = False
    with pytest.raises(InfluxSetupError, match="influx bucket create --name monuoc/raw --org village"):
        try_it(double)
    double.buckets = [{"id": "b7", "orgID": "01", "name": "monuoc/raw"}]
    double.maps_itself = False
    with pytest.raises(InfluxSetupError, match=r"influx v1 dbrp create --db monuoc --rp raw .*--bucket-id b7"):
        try_it(double)
    double.maps_itself = True
    double.may_write = False
    with pytest.raises(InfluxSetupError, match="right to write"):
        try_it(double)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_these_answers_refuse_points(double: Double, status: int) -> None:
    double.write_status = status
    with pytest.raises(PointsRefusedError, match="as the test wants it"):
        write_one(double)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_these_answers_put_points_off(double: Double, status: int) -> None:
    double.write_status = status
    with pytest.raises(StoreUnavailableError, match=str(status)):
        write_one(double)


def write_one(double: Double) -> None:
    http = InfluxHttp(InfluxAddress(double.url, "monuoc/raw", "village", "secret"))
    store = InfluxObservations(http, dict)
    try:
        store.write([Points(SeriesKey("be-1", "level_m"), [1000], [1.0], [1])])
    finally:
        store.close()


def test_what_is_no_influx_is_not_believed(double: Double) -> None:
    with pytest.raises(StoreUnavailableError, match="9: "):
        prepare(InfluxHttp(InfluxAddress("http://127.0.0.1:9", "monuoc")))
