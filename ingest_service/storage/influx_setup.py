"""What an InfluxDB must have before anything is stored in it: made where we may, said clearly where not."""

import json
from typing import Any, Final
from urllib.parse import urlencode

from ingest_service.storage import schema
from ingest_service.storage.influx_http import InfluxHttp, Reply

_SHARD_WEEKS: Final = 4
"""Readings are few and come late: few large shards suit them better than the usual weekly ones."""

_TRIAL: Final = f"select {schema.FIELD_QC} from {schema.MEASUREMENT} limit 1"  # noqa: S608 - constants


class InfluxSetupError(Exception):
    """Something is missing on the server that we may not make; the message says what to do."""


def prepare(http: InfluxHttp) -> None:
    """Make sure that the bucket can be written and read, by tokens as they are.

    Raises:
        InfluxSetupError: it cannot, until somebody does what the message says.
        StoreUnavailableError: the server does not answer.
    """
    first = http.request("GET", "/api/v2/setup")
    if first.status == 404:
        _prepare_1(http)
    elif first.body.get("allowed"):
        raise InfluxSetupError(f"{http.address.url} was never initialised; run `influx setup` there, then start again")
    else:
        _prepare_2(http)
    _try_write(http)


def _prepare_1(http: InfluxHttp) -> None:
    """InfluxDB 1.8 to 1.12: database and retention policy."""
    address = http.address
    known = _ask(http, "show databases")
    duration = f"duration inf replication 1 shard duration {_SHARD_WEEKS}w"
    if address.database not in _first_column(known):
        policy = f" name {_name(address.policy)}" if address.policy else ""
        _make(http, f"create database {_name(address.database)} with {duration}{policy}")
    if address.policy:
        policies = _ask(http, f"show retention policies on {_name(address.database)}")
        if address.policy not in _first_column(policies):
            _make(http, f"create retention policy {_name(address.policy)} on {_name(address.database)} {duration}")
    _ask(http, _TRIAL, in_bucket=True)


def _ask(http: InfluxHttp, words: str, *, in_bucket: bool = False) -> Reply:
    reply = http.ask(words, in_bucket=in_bucket)
    if fault := _fault(reply):
        raise InfluxSetupError(
            f"{http.address.url} answers `{words}` with: {fault}; put the token of a user who may read"
            f" {http.address.database} into the file that MONUOC_INFLUX_TOKEN_FILE names (on 1.8: user:password)"
        )
    return reply


def _make(http: InfluxHttp, words: str) -> None:
    if fault := _fault(http.ask(words, in_bucket=False)):
        raise InfluxSetupError(
            f"the bucket {http.address.bucket} is missing at {http.address.url}, or this token may not see it, nor make"
            f" it ({fault}); as its administrator run: {words}"
        )


def _fault(reply: Reply) -> str:
    if reply.status != 200:
        return reply.words
    return next((str(result["error"]) for result in reply.body["results"] if "error" in result), "")


def _first_column(reply: Reply) -> set[str]:
    series = reply.body["results"][0].get("series", ())
    return {str(row[0]) for one in series for row in one.get("values", ())}


def _name(word: str) -> str:
    return '"' + word.replace("\\", r"\\").replace('"', r"\"") + '"'


def _prepare_2(http: InfluxHttp) -> None:
    """InfluxDB 2: bucket, and a mapping by which InfluxQL finds it (made by itself since 2.5)."""
    address = http.address
    bucket = _find_bucket(http) or _make_bucket(http)
    fault = _fault(http.ask(_TRIAL))
    if not fault:
        return
    if "not found" not in fault:
        raise InfluxSetupError(f"{address.url} answers a query with: {fault}; give the token the right to read buckets")
    policy = address.policy or "autogen"
    wanted = {"orgID": bucket["orgID"], "bucketID": bucket["id"], "database": address.database, "default": True}
    made = _post(http, "/api/v2/dbrps", {**wanted, "retention_policy": policy})
    if fault := made.words if made.status >= 300 else _fault(http.ask(_TRIAL)):
        raise InfluxSetupError(
            f"InfluxQL does not find the bucket {address.bucket} at {address.url} ({fault});"
            f" as its administrator run: influx v1 dbrp create --db {address.database} --rp {policy} --default"
            f" --bucket-id {bucket['id']} --org {address.org}"
        )


def _find_bucket(http: InfluxHttp) -> dict[str, Any] | None:
    address = http.address
    found = http.request("GET", f"/api/v2/buckets?{urlencode({'name': address.bucket, 'org': address.org})}")
    if found.status == 401:
        raise InfluxSetupError(
            f"{address.url} does not know the token ({found.words});"
            " put a valid one into the file that MONUOC_INFLUX_TOKEN_FILE names"
        )
    buckets: list[dict[str, Any]] = found.body.get("buckets", []) if found.status == 200 else []
    return buckets[0] if buckets else None


def _make_bucket(http: InfluxHttp) -> dict[str, Any]:
    address = http.address
    orgs = http.request("GET", f"/api/v2/orgs?{urlencode({'org': address.org})}")
    known = orgs.body.get("orgs", []) if orgs.status == 200 else []
    if not known:
        raise InfluxSetupError(
            f"{address.url} has no organisation {address.org!r} that this token may see, nor the bucket"
            f" {address.bucket}; mend MONUOC_INFLUX_ORG, MONUOC_INFLUX_BUCKET or the token's rights"
        )
    keeping = {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": _SHARD_WEEKS * 7 * 86_400}
    wanted = {"orgID": known[0]["id"], "name": address.bucket, "retentionRules": [keeping]}
    made = _post(http, "/api/v2/buckets", wanted)
    bucket: dict[str, Any] | None = made.body if made.status == 201 else _find_bucket(http)  # another was faster
    if bucket is None:
        raise InfluxSetupError(
            f"the bucket {address.bucket} is missing at {address.url}, or this token may not see it, nor make it"
            f" ({made.words}); as its administrator run: influx bucket create --name {address.bucket}"
            f" --org {address.org}"
        )
    return bucket


def _post(http: InfluxHttp, path: str, body: dict[str, Any]) -> Reply:
    return http.request("POST", path, json.dumps(body).encode())


def _try_write(http: InfluxHttp) -> None:
    """Write nothing: the right to write is looked at first."""
    address = http.address
    asked = urlencode({"bucket": address.bucket, "org": address.org, "precision": "ms"})
    reply = http.request("POST", f"/api/v2/write?{asked}", b"", "text/plain; charset=utf-8")
    if reply.status in {401, 403, 404}:
        raise InfluxSetupError(
            f"{address.url} does not let this token write to {address.bucket} ({reply.words});"
            " give it the right to write, and to read, that bucket"
        )
