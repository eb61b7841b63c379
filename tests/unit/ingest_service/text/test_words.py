"""Numbers, instants and the choice of language as people here write them."""

from datetime import UTC, date, datetime

import pytest

from ingest_service.text.words import choose_language, speak

EVENING_MS = int(datetime(2026, 11, 23, 10, 30, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@pytest.mark.parametrize(
    ("value", "decimals", "vi", "en"),
    [
        (1234567.89, 2, "1.234.567,89", "1,234,567.89"),
        (840, 0, "840", "840"),
        (0.5, 1, "0,5", "0.5"),
        (-0.04, 1, "0,0", "0.0"),
        (None, 1, "–", "–"),
        (1380.4, 0, "1.380", "1,380"),
    ],
)
def test_numbers(value: float | None, decimals: int, vi: str, en: str) -> None:
    assert speak("vi").number(value, decimals) == vi
    assert speak("en").number(value, decimals) == en


def test_percent_stands_close() -> None:
    assert speak("vi").percent(12.5, 1) == "12,5%"
    assert speak("vi").percent(None) == "–"


@pytest.mark.parametrize(
    ("key", "value", "vi", "en"),
    [
        ("volume_l", 1380.2, "1.380\u00a0lít", "1,380\u00a0L"),
        ("flow_lpm", 3.25, "3,2\u00a0lít/phút", "3.2\u00a0L/min"),
        ("fill_pct", 28.4, "28%", "28%"),
        ("level_m", None, "–", "–"),
        ("spool_depth", 3.0, "3", "3"),
    ],
)
def test_quantities(key: str, value: float | None, vi: str, en: str) -> None:
    assert speak("vi").quantity(key, value) == vi
    assert speak("en").quantity(key, value) == en


def test_instants_are_local_and_24_hours() -> None:
    words = speak("vi")
    assert words.moment(EVENING_MS) == "17:30 23/11/2026"
    assert words.stamp(EVENING_MS) == "23/11 17:30"
    late = int(datetime(2026, 11, 23, 17, 0, tzinfo=UTC).timestamp() * 1000)
    assert words.moment(late) == "00:00 24/11/2026"


@pytest.mark.parametrize(
    ("ago_ms", "vi", "en"),
    [
        (0, "17:30 hôm nay", "17:30 today"),
        (17 * HOUR_MS, "00:30 hôm nay", "00:30 today"),
        (18 * HOUR_MS, "23:30 hôm qua", "23:30 yesterday"),
        (48 * HOUR_MS, "17:30 21/11/2026", "17:30 21/11/2026"),
    ],
)
def test_near_days_are_said_in_words(ago_ms: int, vi: str, en: str) -> None:
    assert speak("vi").when(EVENING_MS - ago_ms, EVENING_MS) == vi
    assert speak("en").when(EVENING_MS - ago_ms, EVENING_MS) == en


@pytest.mark.parametrize(
    ("span_ms", "vi", "en"),
    [
        (0, "1 phút", "1 minute"),
        (16 * MINUTE_MS, "16 phút", "16 minutes"),
        (5 * HOUR_MS, "5 giờ", "5 hours"),
        (72 * HOUR_MS, "3 ngày", "3 days"),
    ],
)
def test_lengths_of_time(span_ms: int, vi: str, en: str) -> None:
    assert speak("vi").lasting(span_ms) == vi
    assert speak("en").lasting(span_ms) == en


def test_days_of_the_week() -> None:
    assert speak("vi").weekday(date(2026, 11, 23)) == "Th 2"
    assert speak("en").weekday(date(2026, 11, 22)) == "Sun"


@pytest.mark.parametrize(
    ("wishes", "accept", "chosen"),
    [
        ((None, None), "", "vi"),
        (("en", "vi"), "vi", "en"),
        ((None, "en"), "vi", "en"),
        (("xx", None), "en-US,en;q=0.9", "en"),
        ((None, None), "fr, en;q=0.5, vi;q=0.8", "vi"),
        ((None, None), "en;q=0, de", "vi"),
        ((None, None), ";q=;;q=x,en;q=nonsense,\x00", "vi"),
    ],
)
def test_language(wishes: tuple[str | None, ...], accept: str, chosen: str) -> None:
    assert choose_language(wishes, accept) == chosen
