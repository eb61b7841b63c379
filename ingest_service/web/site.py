"""What every page and every answer of the API shares: the stores, the clock, the words, the snapshot of places."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ingest_service.domain.places import Register
from ingest_service.services.ports import Now, Observations, Records
from ingest_service.text.words import Language, choose_language, speak
from ingest_service.web.view import WORDS_OF_VIEW

_FOLDER: Final = Path(__file__).parent
LANGUAGE_COOKIE: Final = "lang"


class Snapshot:
    """The register as last read; read again only when its version has grown."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._register: Register | None = None

    def get(self) -> Register:
        """The current register."""
        version = self._records.register_version()
        with self._lock:
            if self._register is None or self._register.version != version:
                self._register = self._records.register()
            return self._register


@dataclass(frozen=True, slots=True)
class Site:
    """The parts behind the pages.

    Attributes:
        observations, records: the stores.
        now: the present instant.
        snapshot: places, assets, nodes.
        address: how people reach the pages, e.g. "https://nuoc.example.vn"; "" takes what the browser asked for.
    """

    observations: Observations
    records: Records
    now: Now
    snapshot: Snapshot
    address: str = ""

    def find_address(self, request: Request) -> str:
        """Public address without a slash at its end."""
        return (self.address or str(request.base_url)).rstrip("/")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the language, and whether the browser should remember it."""

    language: Language
    remember: bool = field(default=False)


def meet(request: Request) -> Person:
    """The language by `?lang=`, then cookie, then the browser's wish, then Vietnamese."""
    asked = request.query_params.get("lang")
    cookie = request.cookies.get(LANGUAGE_COOKIE)
    language = choose_language((asked, cookie), request.headers.get("accept-language", ""))
    return Person(language, remember=asked == language and cookie != language)


@cache
def read_style() -> str:
    """The style sheet, as small as it can be without a tool."""
    lines = (line.strip() for line in (_FOLDER / "static/style.css").read_text().splitlines())
    return "".join(line for line in lines if line and not line.startswith("/*"))


@cache
def templates(language: Language) -> Environment:
    """Templates that speak one language."""
    words = speak(language)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    install = environment.install_gettext_callables  # type: ignore[attr-defined]  # added by the extension
    install(words.raw, words.raw_count, newstyle=True)
    environment.globals.update(WORDS_OF_VIEW, words=words, language=language, style=Markup(read_style()))  # noqa: S704 - ours
    return environment


def render(
    request: Request, template: str, values: Mapping[str, object], *, status: int = 200, max_age_s: int = 20
) -> HTMLResponse:
    """A page in the person's language.

    Args:
        request: whose page it is.
        template: file name.
        values: what the template shows.
        status: HTTP status.
        max_age_s: how long the browser may show it again without asking.
    """
    person = meet(request)
    html = templates(person.language).get_template(template).render(path=request.url.path, **values)
    keep = f"private, max-age={max_age_s}, stale-if-error=604800" if status == 200 else "no-store"
    response = HTMLResponse(html, status, {"cache-control": keep, "content-language": person.language})
    if person.remember:
        remember_language(response, person.language)
    return response


def remember_language(response: Response, language: Language) -> None:
    """Let the browser keep the choice for a year."""
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86400, samesite="lax", httponly=True)
