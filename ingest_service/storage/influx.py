"""History of observations in InfluxDB 1.8 or 2: written as line protocol, read by InfluxQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ingest_service.services.ports import Bucket, Observation, Points, PointsRefusedError, Qc, SeriesKey
from ingest_service.storage import schema
from ingest_service.storage.influx_http import InfluxHttp, InfluxRefusedError
from ingest_service.storage.influx_lines import UNKNOWN, Labels, LineWriter, cut, halve, read_tag, unpack, write_tag

_LINES: Final = 10_000
_MOST_SPLITS: Final = 200
_ASSETS_A_STATEMENT: Final = 200
_NEAR_MS: Final = 14 * 86_400_000
_FURTHEST_MS: Final = 9_223_372_036_000
"""InfluxDB counts nanoseconds in 64 bits: until 2262."""

_COLUMNS: Final = f"{schema.FIELD_VALUE}, {schema.FIELD_QC}"
_NEWEST: Final = f"last({schema.FIELD_QC}), {schema.FIELD_VALUE}"
_FIGURES: Final = ", ".join(f"{name}({schema.FIELD_VALUE})" for name in ("min", "max", "mean", "last", "count"))

Row = tuple[int, float | None, int]


class InfluxObservations:
    """Port `Observations` on an InfluxDB; any number of processes and threads may use one bucket at once.

    Place and kind are tags, so a point that is written again after its asset moved stands there twice: a reader takes
    the one that has the tags of now.

    Args:
        http: the server; `influx_setup.prepare` has looked at it.
        labels: place and kind by asset.
    """

    def __init__(self, http: InfluxHttp, labels: Labels) -> None:
        self._http = http
        self._labels = labels
        self._writer = LineWriter(labels)

    def write(self, batch: Sequence[Points]) -> None:
        """Store all of it; each request is on the server's disk before the next.

        Where the server refuses lines, they are halved until the guilty ones stand alone. After `_MOST_SPLITS` halvings
        a piece that is refused is given up whole, so that a server that refuses everything does so in bounded time.

        Raises:
            StoreUnavailableError: some of it may be stored; write all again.
            PointsRefusedError: all but some points are stored.
        """
        refused: list[tuple[Points, str]] = []
        waiting = list(cut(batch, _LINES))[::-1]
        splits = 0
        while waiting:
            piece = waiting.pop()
            try:
                self._http.write(self._writer.render(piece))
            except InfluxRefusedError as error:
                halves = halve(piece) if splits < _MOST_SPLITS else None
                if halves is None:
                    refused += [(run, str(error)) for run in piece]
                else:
                    splits += 1
                    waiting += halves[::-1]
        if refused:
            raise PointsRefusedError(refused)

    def latest(self, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Observation]:
        """Newest observation of each series; a series with none is absent."""
        wanted = sorted(set(keys))
        # Most are of today, and looking no further back opens one shard instead of all.
        found = self._newest(wanted, " and time >= now() - 2d")
        return found | self._newest([key for key in wanted if key not in found], "")

    def read(self, key: SeriesKey, from_ms: int, to_ms: int) -> Points:
        """Observations in [from_ms, to_ms), oldest first."""
        return _points(key, self._rows(f"{_within(key, from_ms, to_ms)} group by *"))

    def before(self, key: SeriesKey, before_ms: int, count: int) -> Points:
        """The last `count` observations with an instant < before_ms, oldest first."""
        order = f"group by * order by time desc limit {count}"
        for from_ms in (before_ms - _NEAR_MS, -_FURTHEST_MS):  # the first mostly suffices, and opens two shards at most
            rows = self._rows(f"{_within(key, from_ms, before_ms)} {order}")[-count:]
            if len(rows) == count:
                break
        return _points(key, rows)

    def aggregate(self, key: SeriesKey, from_ms: int, to_ms: int, step_ms: int) -> list[Bucket]:
        """QC-1 observations of [from_ms, to_ms) by steps counted from from_ms; every step is present."""
        good = f"{schema.FIELD_QC} = {int(Qc.GOOD)}"
        step = f"time({step_ms}ms, {from_ms % step_ms}ms)"
        where = f"where {_within(key, from_ms, to_ms)} and {good} group by {step}, * fill(none)"
        series = self._http.query(_select(_FIGURES, where))
        if len(series) > 1:  # the asset has moved: instants may stand there twice
            return _summarise(self.read(key, from_ms, to_ms), from_ms, to_ms, step_ms)
        found: dict[int, Bucket] = {}
        for start_ms, low, high, mean, last, samples in series[0]["values"] if series else ():
            found[start_ms] = Bucket(start_ms, float(low), float(high), float(mean), float(last), samples)
        return [found.get(start) or _empty(start) for start in range(from_ms, to_ms, step_ms)]

    def series(self) -> list[SeriesKey]:
        """All series that hold anything, sorted."""
        newest = self._http.query(_select(_NEWEST, "group by *"))
        return sorted({_key_of(series) for series in newest})

    def close(self) -> None:
        """Give back connections; harmless when called twice."""
        self._http.close()

    def _newest(self, keys: Sequence[SeriesKey], further: str) -> dict[SeriesKey, Observation]:
        by_quantity: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            by_quantity[key.quantity].append(key.asset)
        statements = [
            _select(
                _NEWEST, f"where {_among(assets[first : first + _ASSETS_A_STATEMENT], quantity)}{further} group by *"
            )
            for quantity, assets in by_quantity.items()
            for first in range(0, len(assets), _ASSETS_A_STATEMENT)
        ]
        found: dict[SeriesKey, Observation] = {}
        for series in self._oldest_labels_first(self._http.query("; ".join(statements))) if statements else ():
            key = _key_of(series)
            for at_ms, qc, value in series["values"]:
                if key not in found or found[key].at_ms <= at_ms:
                    found[key] = Observation(*_row(at_ms, value, qc))
        return found

    def _rows(self, where: str) -> list[Row]:
        """Observations, oldest first, each instant once."""
        series = self._http.query(_select(_COLUMNS, f"where {where}"))
        rows: dict[int, Row] = {}
        for one in self._oldest_labels_first(series):
            rows |= {at_ms: _row(at_ms, value, qc) for at_ms, value, qc in one["values"] if qc is not None}
        return [rows[at_ms] for at_ms in sorted(rows)]

    def _oldest_labels_first(self, series: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(series) < 2:
            return series
        known = self._labels()

        def is_current(one: dict[str, Any]) -> bool:
            tags, label = one["tags"], known.get(read_tag(one["tags"][schema.TAG_ASSET]), UNKNOWN)
            return (read_tag(tags.get(schema.TAG_PLACE, "")), read_tag(tags.get(schema.TAG_KIND, ""))) == label

        return sorted(series, key=is_current)


def _select(columns: str, rest: str) -> str:
    return f"select {columns} from {schema.MEASUREMENT} {rest}"  # noqa: S608 - names are quoted by `_quote`


def _quote(word: str) -> str:
    return "'" + write_tag(word).replace("'", r"\'") + "'"


def _among(assets: Sequence[str], quantity: str) -> str:
    words = " or ".join(f"{schema.TAG_ASSET} = {_quote(asset)}" for asset in assets)
    return f"{schema.TAG_QUANTITY} = {_quote(quantity)} and ({words})"


def _instant(at_ms: int) -> str:
    return f"{min(max(at_ms, -_FURTHEST_MS), _FURTHEST_MS)}ms"


def _within(key: SeriesKey, from_ms: int, to_ms: int) -> str:
    return f"{_among([key.asset], key.quantity)} and time >= {_instant(from_ms)} and time < {_instant(to_ms)}"


def _key_of(series: dict[str, Any]) -> SeriesKey:
    tags = series["tags"]
    return SeriesKey(read_tag(tags[schema.TAG_ASSET]), read_tag(tags[schema.TAG_QUANTITY]))


def _row(at_ms: int, value: float | None, stored_qc: int) -> Row:
    # The server writes 1.0 as 1.
    return at_ms, *unpack(None if value is None else float(value), stored_qc)


def _points(key: SeriesKey, rows: list[Row]) -> Points:
    return Points(key, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def _empty(start_ms: int) -> Bucket:
    return Bucket(start_ms, None, None, None, None, 0)


def _summarise(points: Points, from_ms: int, to_ms: int, step_ms: int) -> list[Bucket]:
    good: defaultdict[int, list[float]] = defaultdict(list)
    for at_ms, value, qc in zip(points.at_ms, points.value, points.qc, strict=True):
        if value is not None and qc == Qc.GOOD:
            good[(at_ms - from_ms) // step_ms].append(value)
    return [
        Bucket(start, min(some), max(some), sum(some) / len(some), some[-1], len(some))
        if (some := good.get(number))
        else _empty(start)
        for number, start in enumerate(range(from_ms, to_ms, step_ms))
    ]
