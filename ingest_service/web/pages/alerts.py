"""What is wrong now, with reason and evidence."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ingest_service.web.site import Site, render


def routes(site: Site) -> APIRouter:
    """`/alerts`."""
    router = APIRouter()

    @router.get("/alerts")
    def show(request: Request) -> Response:
        values = {"alerts": site.records.open_alerts(), "register": site.snapshot.get(), "now_ms": site.now()}
        return render(request, "alerts.html", values)

    return router
