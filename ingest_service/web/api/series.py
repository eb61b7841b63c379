"""A stretch of one series over the API, bounded so that no question is too big to answer."""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.services.ports import Bucket, Points, SeriesKey
from ingest_service.services.report import DAY_MS, read_series
from ingest_service.web.api.models import Aggregate, SeriesOut, instant
from ingest_service.web.site import Site

MOST_RAW_DAYS: Final = 31
MOST_STEPS: Final = 10_000
MOST_STEP_DAYS: Final = 3700


def series_routes(site: Site) -> APIRouter:
    """`/series`."""
    router = APIRouter()

    @router.get("/series", response_model=SeriesOut)
    def get_series(  # noqa: PLR0917 - the parameters of the address
        asset: Annotated[str, Query(description="key of an asset")],
        quantity: Annotated[str, Query(description="catalogue key, e.g. fill_pct")],
        from_at: Annotated[AwareDatetime, Query(alias="from", description="ISO 8601 with offset, inclusive")],
        to_at: Annotated[AwareDatetime | None, Query(alias="to", description="exclusive; now if absent")] = None,
        step: Annotated[
            int | None, Query(ge=60, le=366 * 86400, description="seconds; absent: observations as they are")
        ] = None,
        aggregate: Annotated[Aggregate, Query(description="what a step gives, of good observations")] = "mean",
    ) -> Response:
        """Observations in [from, to), at most 31 days; or by steps, at most 10,000 of them."""
        if asset not in site.snapshot.get().assets:
            raise HTTPException(404, f"there is no asset {asset!r}; /api/v1/assets lists them")
        if quantity not in QUANTITIES:
            raise HTTPException(400, f"quantity: use one of {', '.join(QUANTITIES)}")
        to_ms = site.now() if to_at is None else _ms(to_at)
        _check_range(_ms(from_at), to_ms, step)
        step_ms = None if step is None else step * 1000
        found = read_series(site.observations, SeriesKey(asset, quantity), _ms(from_at), to_ms, step_ms)
        points = _tell_points(found) if isinstance(found, Points) else _tell_steps(found, aggregate)
        answer = {
            "asset": asset,
            "quantity": quantity,
            "unit": QUANTITIES[quantity].senml_unit,
            "step_s": step,
            "aggregate": aggregate if step else None,
            "points": list(points),
        }
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return router


def _ms(at: AwareDatetime) -> int:
    return round(at.timestamp() * 1000)


def _check_range(from_ms: int, to_ms: int, step: int | None) -> None:
    if from_ms >= to_ms:
        raise HTTPException(400, "from must lie before to")
    if step is None and to_ms - from_ms > MOST_RAW_DAYS * DAY_MS:
        raise HTTPException(400, f"at most {MOST_RAW_DAYS} days without step; give step=3600 for hours")
    if to_ms - from_ms > MOST_STEP_DAYS * DAY_MS:
        raise HTTPException(400, f"at most {MOST_STEP_DAYS} days")
    if step is not None and (to_ms - from_ms) / (step * 1000) > MOST_STEPS:
        raise HTTPException(400, f"at most {MOST_STEPS} steps; make step longer or the range shorter")


def _tell_points(points: Points) -> Iterable[dict[str, object]]:
    for at_ms, value, qc in zip(points.at_ms, points.value, points.qc, strict=True):
        yield {"at": instant(at_ms), "value": value, "qc": qc, "samples": None}


def _tell_steps(buckets: list[Bucket], aggregate: Aggregate) -> Iterable[dict[str, object]]:
    for bucket in buckets:
        value = getattr(bucket, aggregate)
        yield {"at": instant(bucket.start_ms), "value": value, "qc": None, "samples": bucket.samples}
