"""Says what went wrong: a page in the person's language, problem details (RFC 9457) to a program."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest_service.services.ports import StoreUnavailableError
from ingest_service.text.words import mark
from ingest_service.web.site import render

_PAGES: Final = {
    400: (mark("That does not work"), mark("The address holds something that this page does not understand.")),
    404: (mark("Nothing is here"), mark("This page does not exist, or no longer. Start again from the villages.")),
    405: (mark("That does not work"), mark("This page can only be looked at.")),
    500: (mark("Something broke here"), mark("It is our fault, not yours. Try again in a few minutes.")),
    503: (mark("Just a moment"), mark("The figures cannot be read right now. Try again in a few minutes.")),
}


def install(app: FastAPI) -> None:
    """Make the application say its faults."""
    app.add_exception_handler(HTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(StoreUnavailableError, _store_down)
    app.add_exception_handler(Exception, _bug)


def _http_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is installed for these
    return _answer(request, error.status_code, error.detail, error.headers)


def _wrong_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is installed for these
    said = "; ".join(f"{'.'.join(str(step) for step in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors())
    return _answer(request, 400, said)


def _store_down(request: Request, _: Exception) -> Response:
    return _answer(request, 503, "a store does not answer; try again", {"retry-after": "30"})


def _bug(request: Request, _: Exception) -> Response:
    return _answer(request, 500, "an error of this server; its log says more")


def _answer(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    if request.url.path.startswith(("/api/", "/metrics")):
        title = HTTPStatus(status).phrase
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        kept = {**(headers or {}), "cache-control": "no-store"}
        return JSONResponse(body, status, kept, media_type="application/problem+json")
    title, text = _PAGES.get(status, _PAGES[500 if status >= 500 else 400])
    page = render(request, "fault.html", {"title": title, "text": text, "status": status}, status=status)
    page.headers.update(headers or {})
    return page
