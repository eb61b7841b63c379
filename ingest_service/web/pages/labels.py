"""A label to print on paper of size A6 and fix to the tank: its name and a code that opens its page."""

from io import BytesIO

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest_service.web.site import Site, render


def routes(site: Site) -> APIRouter:
    """`/assets/{key}/label`."""
    router = APIRouter()

    @router.get("/assets/{key}/label")
    def show(request: Request, key: str) -> Response:
        register = site.snapshot.get()
        asset = register.assets.get(key)
        if asset is None:
            raise HTTPException(404)
        address = f"{site.find_address(request)}/assets/{key}"
        short = address.partition("://")[2]
        values = {"asset": asset, "place": register.places[asset.place], "code": draw_code(address), "address": short}
        return render(request, "label.html", values, max_age_s=3600)

    return router


def draw_code(address: str) -> Markup:
    """The address as a QR code, inline SVG; a quarter of it may be dirty or torn."""
    out = BytesIO()
    code = segno.make(address, error="q", micro=False)
    code.save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, nl=False, svgclass="code")
    return Markup(out.getvalue().decode())  # noqa: S704 - made here, of squares only
