"""The JSON API, version 1: what villagers see, for programs. No telephone numbers are given."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.domain.places import Asset, Place, Register
from ingest_service.domain.tank import Contents
from ingest_service.services.ports import AlertChange
from ingest_service.services.report import MEASURED, read_states
from ingest_service.text.alerts import render_alert
from ingest_service.text.words import LANGUAGES
from ingest_service.web.api.models import AlertOut, AssetOut, LatestOut, PlaceOut, Problem, instant
from ingest_service.web.api.series import series_routes
from ingest_service.web.site import Site

PROBLEMS: Final[dict[int | str, dict[str, object]]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (400, 404, 503)
}
_CHANGES: Final = 1000


def routes(site: Site) -> APIRouter:
    """`/places`, `/assets`, `/latest`, `/series`, `/alerts`."""
    router = APIRouter(responses=PROBLEMS, tags=["v1"])
    _add_places(router, site)
    _add_latest(router, site)
    _add_alerts(router, site)
    router.include_router(series_routes(site))
    return router


def _add_places(router: APIRouter, site: Site) -> None:
    @router.get("/places")
    def list_places() -> list[PlaceOut]:
        """All places."""
        register = site.snapshot.get()
        return [_tell_place(place, register) for place in register.places.values()]

    @router.get("/assets")
    def list_assets(place: Annotated[str | None, Query(description="key of a place")] = None) -> list[AssetOut]:
        """All tanks, filters and lines, or those of one place."""
        assets = site.snapshot.get().assets.values()
        return [_tell_asset(asset) for asset in assets if place is None or asset.place == place]

    @router.get("/assets/{key}")
    def get_asset(key: str) -> AssetOut:
        """One tank, filter or line."""
        return _tell_asset(find_asset(site, key))


def _add_latest(router: APIRouter, site: Site) -> None:
    @router.get("/latest")
    def list_latest(
        asset: Annotated[str | None, Query(description="key of an asset; all without")] = None,
    ) -> list[LatestOut]:
        """The newest observation of every series that is shown."""
        register = site.snapshot.get()
        assets = list(register.assets.values()) if asset is None else [find_asset(site, asset)]
        found = []
        for state in read_states(register, assets, site.observations, (), site.now()):
            for quantity, reading in state.readings.items():
                if reading.newest is None:
                    continue
                found.append(
                    LatestOut(
                        asset=state.asset.key,
                        quantity=quantity,
                        unit=QUANTITIES[quantity].senml_unit,
                        at=instant(reading.newest.at_ms),
                        value=reading.newest.value,
                        qc=reading.newest.qc,
                        good_at=instant(reading.good.at_ms) if reading.good else None,
                        good_value=reading.good.value if reading.good else None,
                        stale=state.silent,
                    )
                )
        return found


def _add_alerts(router: APIRouter, site: Site) -> None:
    @router.get("/alerts")
    def list_alerts(
        open: Annotated[bool, Query(description="true: only open ones; false: all changes, newest first")] = True,  # noqa: A002, FBT002 - the word in the address
        asset: Annotated[str | None, Query(description="key of an asset")] = None,
    ) -> list[AlertOut]:
        """Open alerts, the worst first; or the last 1000 changes."""
        register = site.snapshot.get()
        if open:
            alerts = [alert for alert in site.records.open_alerts() if asset in (None, alert.latest.asset)]
            return [_tell_alert(alert.latest, alert.raised_ms, register) for alert in alerts]
        changes = site.records.changes(asset=asset, limit=_CHANGES)
        raised = {change.alert_id: change.at_ms for change in changes if change.state == "raised"}
        return [_tell_alert(change, raised.get(change.alert_id), register) for change in changes]


def find_asset(site: Site, key: str) -> Asset:
    """The asset; 404 if there is none."""
    asset = site.snapshot.get().assets.get(key)
    if asset is None:
        raise HTTPException(404, f"there is no asset {key!r}; /api/v1/assets lists them")
    return asset


def _tell_place(place: Place, register: Register) -> PlaceOut:
    return PlaceOut(
        key=place.key,
        name=place.name,
        commune=place.commune,
        people=place.people,
        latitude=place.latitude,
        longitude=place.longitude,
        assets=[asset.key for asset in register.assets.values() if asset.place == place.key],
    )


def _tell_asset(asset: Asset) -> AssetOut:
    return AssetOut(
        key=asset.key,
        place=asset.place,
        kind=asset.kind,
        name=asset.name,
        shape=asset.tank.shape.kind if asset.tank else None,
        capacity_l=round(Contents.of(asset.tank).capacity_l, 1) if asset.tank else None,
        quantities=list(MEASURED[asset.kind]),
    )


def _tell_alert(change: AlertChange, raised_ms: int | None, register: Register) -> AlertOut:
    return AlertOut(
        id=change.alert_id,
        rule=change.rule,
        subject=change.asset,
        state=change.state,
        severity=change.severity,
        raised_at=None if raised_ms is None else instant(raised_ms),
        changed_at=instant(change.at_ms),
        reason=change.reason,
        evidence=dict(change.evidence),
        text={language: render_alert(change, register, language, phones=False) for language in LANGUAGES},
    )
