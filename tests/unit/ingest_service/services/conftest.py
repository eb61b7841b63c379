"""A village for the tests of the services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ingest_service.services.village import Village


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    made = Village(tmp_path)
    yield made
    made.close()
