"""Puts pages, API, health and metrics together into one application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from ingest_service.services.ports import Now, Observations, Records
from ingest_service.web import faults, health
from ingest_service.web.api import routes as api
from ingest_service.web.guard import Guard
from ingest_service.web.metrics import Figures, metrics_routes
from ingest_service.web.pages import alerts, assets, favicon, labels, language, places
from ingest_service.web.site import Site, Snapshot

_THREADS = 8
_ABOUT = "Water of the villages: what is measured, what is wrong. Instants are ISO 8601 in UTC; units stand in names."


def create_app(observations: Observations, records: Records, now: Now, *, address: str = "") -> FastAPI:
    """The web application; it opens and closes nothing.

    Args:
        observations: history to read.
        records: register, alerts, heartbeats to read.
        now: the present instant.
        address: how people reach it, for QR labels, e.g. "https://nuoc.example.vn"; "" takes what the browser asked.
    """
    site = Site(observations, records, now, Snapshot(records), address)
    figures = Figures(site)
    app = _Application(
        title="Mó Nước",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_few_threads,
    )
    for routes in (places, assets, labels, alerts, language, favicon):
        app.include_router(routes.routes(site), include_in_schema=False)
    app.include_router(api.routes(site), prefix="/api/v1")
    app.include_router(health.routes(site), include_in_schema=False)
    app.include_router(metrics_routes(figures), include_in_schema=False)
    faults.install(app)
    app.add_middleware(Guard, figures=figures)
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=9)
    return app


class _Application(FastAPI):
    """Describes its API as it is: wrong parameters are answered 400, as problem details."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI description."""
        described = super().openapi()
        for verbs in described["paths"].values():
            for verb in verbs.values():
                verb["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            described["components"]["schemas"].pop(name, None)
        return described


@asynccontextmanager
async def _few_threads(_: FastAPI) -> AsyncIterator[None]:
    """Every thread holds a connection and its cache: a few serve many readers."""
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
