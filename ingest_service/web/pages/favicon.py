"""The small picture in a browser's tab: a spring between two peaks."""

from fastapi import APIRouter
from starlette.responses import Response

from ingest_service.web.site import Site, templates


def routes(_: Site) -> APIRouter:
    """`/favicon.svg`, and `/favicon.ico` for browsers that ask without being told."""
    router = APIRouter()

    @router.get("/favicon.svg")
    @router.get("/favicon.ico")
    def show() -> Response:
        drawn = str(templates("vi").get_template("parts.html").module.logo())  # type: ignore[attr-defined]  # a macro
        picture = drawn.strip().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
        return Response(picture, media_type="image/svg+xml", headers={"cache-control": "public, max-age=604800"})

    return router
