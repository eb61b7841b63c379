"""The villages at a glance, and one village."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest_service.domain.places import Place
from ingest_service.services.report import AssetState, rank_condition, read_states
from ingest_service.web.site import Site, render


def routes(site: Site) -> APIRouter:
    """`/` and `/places/{key}`."""
    router = APIRouter()

    @router.get("/")
    def show_all(request: Request) -> Response:
        states = _read(site, None)
        places = sorted(site.snapshot.get().places.values(), key=lambda place: place.name)
        groups = [(place, [state for state in states if state.place.key == place.key]) for place in places]
        groups.sort(key=lambda group: min((rank_condition(state) for state in group[1]), default=(9, "")))
        needing = sum(1 for state in states if state.condition != "ok")
        values = {"groups": groups, "states": states, "needing": needing, "now_ms": site.now()}
        return render(request, "home.html", values)

    @router.get("/places/{key}")
    def show_one(request: Request, key: str) -> Response:
        place = site.snapshot.get().places.get(key)
        if place is None:
            raise HTTPException(404)
        return render(request, "place.html", {"place": place, "states": _read(site, place), "now_ms": site.now()})

    return router


def _read(site: Site, place: Place | None) -> list[AssetState]:
    """States of a place's assets, or of all, what needs somebody most first."""
    register = site.snapshot.get()
    assets = [asset for asset in register.assets.values() if place is None or asset.place == place.key]
    states = read_states(register, assets, site.observations, site.records.open_alerts(), site.now())
    return sorted(states, key=rank_condition)
