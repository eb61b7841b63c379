"""One tank, filter or line: what it holds, its week, what to do, whom to call."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest_service.domain.tank import Contents
from ingest_service.services.report import AssetState, estimate_days_left, read_states, read_week
from ingest_service.text.advice import advise
from ingest_service.web.drawing.curve import Curve, lay_curve
from ingest_service.web.drawing.tank import lay_tank
from ingest_service.web.site import Site, meet, render
from ingest_service.web.view import advice_key, find_low_limit


def routes(site: Site) -> APIRouter:
    """`/assets/{key}`."""
    router = APIRouter()

    @router.get("/assets/{key}")
    def show(request: Request, key: str) -> Response:
        register = site.snapshot.get()
        asset = register.assets.get(key)
        if asset is None:
            raise HTTPException(404)
        now_ms = site.now()
        state = read_states(register, [asset], site.observations, site.records.open_alerts(), now_ms)[0]
        values: dict[str, object] = {"state": state, "asset": asset, "place": state.place, "now_ms": now_ms}
        values["register"] = register
        values["advice"] = advise(advice_key(state), meet(request).language)
        if asset.tank is not None:
            return render(request, "tank.html", values | _see_tank(site, state, now_ms))
        curves = {quantity: _see_week(site, key, quantity, now_ms) for quantity in state.readings}
        return render(request, "asset.html", values | {"curves": curves})

    return router


def _see_tank(site: Site, state: AssetState, now_ms: int) -> dict[str, object]:
    tank = state.asset.tank
    assert tank is not None  # noqa: S101 - only called for tanks
    week = read_week(site.observations, state.asset.key, "fill_pct", now_ms)
    limit = find_low_limit(state.asset, now_ms)
    fill = state.good("fill_pct")
    days = None if state.silent else estimate_days_left(week, fill)
    return {
        "picture": lay_tank(tank, state.good("level_m")),
        "curve": lay_curve(week, limit, (0.0, 100.0)),
        "days_left": days,
        "capacity_l": Contents.of(tank).capacity_l,
    }


def _see_week(site: Site, asset: str, quantity: str, now_ms: int) -> Curve:
    return lay_curve(read_week(site.observations, asset, quantity, now_ms))
