"""The choice of language, kept by the browser."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ingest_service.text.words import choose_language
from ingest_service.web.site import Site, remember_language


def routes(_: Site) -> APIRouter:
    """`/lang/{language}?next=/path`."""
    router = APIRouter()

    @router.get("/lang/{wish}")
    def choose(wish: str, next: str = "/") -> Response:  # noqa: A002 - the word in the address
        language = choose_language((wish,))
        if language != wish:
            raise HTTPException(404)
        here = next.startswith("/") and not next.startswith(("//", "/\\"))
        response = RedirectResponse(next if here else "/", 303, {"cache-control": "no-store"})
        remember_language(response, language)
        return response

    return router
