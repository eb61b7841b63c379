"""What of an alert is decided without any history: the season."""

from datetime import UTC, datetime

import pytest

from ingest_service.domain.alert import is_dry_season


@pytest.mark.parametrize(
    ("instant", "is_dry"),
    [
        ("2026-10-31T16:59:59.999", False),
        ("2026-10-31T17:00:00.000", True),  # midnight in Viet Nam
        ("2026-12-31T17:00:00.000", True),
        ("2028-02-29T12:00:00.000", True),
        ("2027-04-30T16:59:59.999", True),
        ("2027-04-30T17:00:00.000", False),
        ("2027-07-15T00:00:00.000", False),
    ],
)
def test_the_dry_season_lasts_from_november_to_april_by_local_time(instant: str, is_dry: bool) -> None:
    at_ms = round(datetime.fromisoformat(instant).replace(tzinfo=UTC).timestamp() * 1000)
    assert is_dry_season(at_ms) is is_dry
