"""Says things to people in their language: sentences from the catalogue, numbers and local time.

Messages are written in English in code and templates; `locales/vi/LC_MESSAGES/messages.po` holds the Vietnamese.
`python -m ingest_service.text.check` proves that nothing is missing.
"""

import gettext
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_timedelta, get_day_names
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from ingest_service.domain.catalogue import QUANTITIES

Language = Literal["vi", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")
"""The languages that people may choose; the first one is the default."""

LOCAL_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Where the water is. UTC+7 all year."""

NOTHING: Final = "–"
"""Stands where a number is missing."""


def mark(message: str) -> str:
    """The message itself; marks it for the catalogue where it is written down before it is said."""
    return message


class Words:
    """One language: its sentences and its way to write numbers and instants."""

    def __init__(self, language: Language, translations: gettext.NullTranslations) -> None:
        self.language: Final = language
        self._translations = translations
        self._locale = Locale(language)

    def say(self, message: str, /, **values: object) -> str:
        """The message in this language with `%(name)s` filled in; a literal per cent sign is written `%%`."""
        return self._translations.gettext(message) % values

    def count(self, one: str, many: str, number: int, /, **values: object) -> str:
        """Like `say`, for a thing that is counted; `%(number)s` is the number in local form."""
        written = self.number(number)
        return self._translations.ngettext(one, many, number) % {"number": written, **values}

    def raw(self, message: str) -> str:
        """The translated message, not yet filled in (for templates)."""
        return self._translations.gettext(message)

    def raw_count(self, one: str, many: str, number: int) -> str:
        """The translated message for `number` things, not yet filled in (for templates)."""
        return self._translations.ngettext(one, many, number)

    def number(self, value: float | None, decimals: int = 0) -> str:
        """`value` with exactly `decimals` digits behind the comma, thousands grouped; a dash for None."""
        if value is None:
            return NOTHING
        rounded = round(value, decimals) + 0.0  # no "-0"
        pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
        return format_decimal(rounded, pattern, locale=self._locale)

    def percent(self, value: float | None, decimals: int = 0) -> str:
        """`value` (0 to 100) with its sign close behind: "12,5%"."""
        return NOTHING if value is None else f"{self.number(value, decimals)}%"

    def quantity(self, key: str, value: float | None) -> str:
        """`value` of a catalogue quantity with its decimals and unit."""
        row = QUANTITIES[key]
        if row.unit == "%":
            return self.percent(value, row.decimals)
        if value is None or not row.unit:
            return self.number(value, row.decimals)
        return f"{self.number(value, row.decimals)}\N{NO-BREAK SPACE}{self.unit(key)}"

    def unit(self, key: str) -> str:
        """Unit of a catalogue quantity as people read it."""
        unit = QUANTITIES[key].unit
        return unit if self.language == "vi" else {"lít": "L", "lít/phút": "L/min"}.get(unit, unit)

    def label(self, key: str) -> str:
        """Name of a catalogue quantity."""
        return QUANTITIES[key].label[self.language]

    def clock(self, at_ms: int) -> str:
        """Local time of day, 24 hours: "17:30"."""
        return local(at_ms).strftime("%H:%M")

    def day(self, at_ms: int) -> str:
        """Local day: "23/11/2026"."""
        return local(at_ms).strftime("%d/%m/%Y")

    def short_day(self, at_ms: int) -> str:
        """Local day without the year: "23/11"."""
        return local(at_ms).strftime("%d/%m")

    def weekday(self, day: date) -> str:
        """Short name of the day of the week: "Th 2", "Mon"."""
        return str(get_day_names("abbreviated", locale=self._locale)[day.weekday()])

    def moment(self, at_ms: int) -> str:
        """Local time first, then the day: "17:30 23/11/2026"."""
        return f"{self.clock(at_ms)} {self.day(at_ms)}"

    def stamp(self, at_ms: int) -> str:
        """Short instant as alert texts end with it: "23/11 17:30"."""
        return f"{self.short_day(at_ms)} {self.clock(at_ms)}"

    def when(self, at_ms: int, now_ms: int) -> str:
        """Local time with the day in words where it is near: "17:30 hôm nay", "06:00 hôm qua", "17:30 23/11/2026"."""
        days = (local(now_ms).date() - local(at_ms).date()).days
        if days == 0:
            return self.say("%(time)s today", time=self.clock(at_ms))
        if days == 1:
            return self.say("%(time)s yesterday", time=self.clock(at_ms))
        return self.moment(at_ms)

    def lasting(self, span_ms: int) -> str:
        """A length of time by its greatest unit: "5 phút", "3 giờ", "2 ngày"."""
        seconds = max(span_ms, 60_000) // 1000
        return format_timedelta(seconds, threshold=1.5, granularity="minute", locale=self._locale)


def local(at_ms: int) -> datetime:
    """The instant on a clock in Cao Bằng."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(LOCAL_ZONE)


@cache
def speak(language: Language) -> Words:
    """The words of a language; compiled once."""
    if language == "en":
        return Words("en", gettext.NullTranslations())
    folder = resources.files("ingest_service.text") / "locales" / language / "LC_MESSAGES"
    catalog = read_po(io.BytesIO((folder / "messages.po").read_bytes()), locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Words(language, gettext.GNUTranslations(compiled))


def choose_language(wishes: Iterable[str | None], accept: str = "") -> Language:
    """The first wish that is a language here, else the browser's best one, else Vietnamese.

    Args:
        wishes: e.g. what the address says, then what the cookie says; None or nonsense is passed over.
        accept: the `Accept-Language` header.
    """
    ranked = sorted(_accepted(accept), key=lambda pair: -pair[1])
    for wish in [*wishes, *(tag for tag, weight in ranked if weight > 0)]:
        for language in LANGUAGES:
            if wish == language:
                return language
    return LANGUAGES[0]


def _accepted(accept: str) -> list[tuple[str, float]]:
    pairs: list[tuple[str, float]] = []
    for part in accept.split(",")[:20]:
        tag, _, weight = part.partition(";q=")
        try:
            pairs.append((tag.strip()[:2].lower(), float(weight or 1)))
        except ValueError:
            continue
    return pairs
