"""The village served on a socket, once for all tests of this folder."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from ingest_service.web.app import create_app
from tests.support.serving import served
from tests.support.water_village import Village, make_village


@pytest.fixture(scope="package")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with contextlib.closing(make_village(tmp_path_factory.mktemp("village"))) as village:
        yield village


@pytest.fixture(scope="package")
def site(village: Village) -> Iterator[httpx.Client]:
    app = create_app(village.observations, village.records, village.now, address="https://nuoc.example.vn/")
    with served(app) as address, httpx.Client(base_url=address) as client:
        yield client
