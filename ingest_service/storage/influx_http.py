"""InfluxDB over HTTP: what it takes, what it says, what its errors mean."""

import gzip
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from ingest_service.services.ports import StoreUnavailableError

_POISON: Final = frozenset({400, 413, 422})
_REFUSED: Final = {
    401: "the token in MONUOC_INFLUX_TOKEN_FILE is not valid",
    403: "the token in MONUOC_INFLUX_TOKEN_FILE lacks the right",
    404: "the bucket in MONUOC_INFLUX_BUCKET is missing",
}


class InfluxRefusedError(Exception):
    """The points of a write cannot be stored as they are, or not all of them."""


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """Where the history is.

    Attributes:
        url: of the server, without a path.
        bucket: "database/retention-policy", or a bucket's name.
        org: of InfluxDB 2; any word on 1.8.
        token: of InfluxDB 2; "user:password" on 1.8; "" for none.
        timeout_s: how long an answer may take.
    """

    url: str
    bucket: str
    org: str = "-"
    token: str = field(default="", repr=False)
    timeout_s: float = 10.0

    @property
    def database(self) -> str:
        """First part of the bucket's name."""
        return self.bucket.partition("/")[0]

    @property
    def policy(self) -> str:
        """Second part of the bucket's name, "" for the database's default."""
        return self.bucket.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no failure of the server: its status and its JSON, {} for none."""

    status: int
    body: Any

    @property
    def words(self) -> str:
        """What the server says is wrong."""
        said = self.body if isinstance(self.body, dict) else {}
        return str(said.get("error") or said.get("message") or f"status {self.status}")


class InfluxHttp:
    """Requests to one server; nothing is opened before the first."""

    def __init__(self, address: InfluxAddress) -> None:
        self.address = address
        self._timeout = urllib3.Timeout(total=address.timeout_s)
        self._pool = urllib3.PoolManager(maxsize=8, retries=False)
        millis = int(address.timeout_s * 1000)
        # The client's code is not typed throughout.
        self._client: Any = InfluxDBClient(address.url, address.token, timeout=millis, retries=False)
        self._writes: Any = WriteService

    def write(self, lines: bytes) -> None:
        """Store lines durably, instants in milliseconds.

        Raises:
            InfluxRefusedError: the server will never take all of them as they are; it may have taken some.
            StoreUnavailableError: try again later.
        """
        try:
            # What the client's WriteApi does in its synchronous mode, but for its compression at level 9, which takes
            # fourteen times as long for a quarter less.
            self._writes(self._client.api_client).post_write(
                self.address.org,
                self.address.bucket,
                gzip.compress(lines, 1, mtime=0),
                precision="ms",
                content_encoding="gzip",
            )
        except ApiException as error:
            words = f"{self.address.url} answers a write with {error.status}: {_words_of(error)}"
            if error.status in _POISON:
                raise InfluxRefusedError(words) from error
            mend = _REFUSED.get(error.status or 0)
            raise StoreUnavailableError(f"{words}; {mend}" if mend else words) from error
        except HTTPError as error:
            raise StoreUnavailableError(f"{self.address.url}: {error}") from error

    def query(self, words: str) -> list[dict[str, Any]]:
        """All series that InfluxQL statements yield, instants in milliseconds.

        Raises:
            StoreUnavailableError: the server cannot answer now, or not this token.
        """
        reply = self.ask(words)
        if reply.status == 400:
            raise ValueError(f"{words}: {reply.words}")
        if reply.status != 200:
            mend = _REFUSED.get(reply.status, "")
            raise StoreUnavailableError(
                f"{self.address.url} answers a query with {reply.status}: {reply.words}; {mend}"
            )
        series: list[dict[str, Any]] = []
        for result in reply.body["results"]:
            if "error" in result:
                raise StoreUnavailableError(f"{self.address.url} answers a query with: {result['error']}")
            found = result.get("series", ())
            if result.get("partial") or any(one.get("partial") for one in found):
                raise StoreUnavailableError(f"{self.address.url} cuts its answers short; set max-row-limit = 0 in it")
            series += found
        return series

    def ask(self, words: str, *, in_bucket: bool = True) -> Reply:
        """The whole answer to InfluxQL statements, by the database and policy of the bucket or by none."""
        address = self.address
        fields = {"q": words, "epoch": "ms"}
        if in_bucket:
            fields |= {"db": address.database} | ({"rp": address.policy} if address.policy else {})
        return self.request("POST", "/query", urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Reply:
        """One request.

        Raises:
            StoreUnavailableError: no answer, or one that says to come back.
        """
        headers = {"Content-Type": kind, "Accept": "application/json", "Accept-Encoding": "gzip"}
        if self.address.token:
            headers["Authorization"] = f"Token {self.address.token}"
        url = self.address.url.rstrip("/") + path
        try:
            reply = self._pool.request(method, url, body=body, headers=headers, timeout=self._timeout)
        except HTTPError as error:
            raise StoreUnavailableError(f"{self.address.url}: {error}") from error
        if reply.status == 429 or reply.status >= 500:
            raise StoreUnavailableError(f"{self.address.url} answers {reply.status}: {reply.data[:200]!r}")
        try:
            return Reply(reply.status, msgspec.json.decode(reply.data) if reply.data.strip() else {})
        except msgspec.DecodeError as error:
            if reply.status != 200:
                return Reply(reply.status, {"error": reply.data[:200].decode(errors="replace").strip()})
            raise StoreUnavailableError(f"{self.address.url} does not answer as InfluxDB does: {error}") from error

    def close(self) -> None:
        """Give back connections; harmless when called twice."""
        self._pool.clear()
        self._client.close()


def _words_of(error: ApiException) -> str:
    try:
        said = msgspec.json.decode(error.body or "{}")
        return str(said.get("error") or said.get("message") or error.reason)[:500]
    except (msgspec.DecodeError, AttributeError):
        return str(error.body)[:500]
