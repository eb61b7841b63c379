"""Answers whether the process lives, and whether its stores do."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse

from ingest_service.services.ports import StoreUnavailableError
from ingest_service.services.report import read_ready
from ingest_service.web.site import Site


def routes(site: Site) -> APIRouter:
    """`/healthz` and `/readyz`."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        try:
            read_ready(site.observations, site.records)
        except StoreUnavailableError as error:
            return JSONResponse({"ready": False, "reason": str(error)}, 503, {"cache-control": "no-store"})
        return JSONResponse({"ready": True}, headers={"cache-control": "no-store"})

    return router
