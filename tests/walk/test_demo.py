"""The demonstration as anybody starts it, headless: the whole story, counted."""

import json
import subprocess
import sys
from typing import Any

import pytest


@pytest.fixture(scope="module")
def result() -> Any:
    command = [sys.executable, "-m", "ingest_service.cli", "demo", "--for", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_lost_or_doubled_though_the_link_fails(result: Any) -> None:
    assert result["readings_committed"] > 3000
    assert result["readings_stored"] == result["readings_committed"]
    assert (result["lost"], result["duplicates"], result["rejects"]) == (0, 0, 0)


def test_what_the_pulled_cable_took_shows_as_gaps(result: Any) -> None:
    assert 15 <= result["frame_gaps"] <= 90  # the cable was out for half an hour, a frame a minute


def test_the_story_raises_and_clears_its_alerts_once_each(result: Any) -> None:
    seen = sorted((alert["id"], alert["asset"]) for alert in result["alerts"])
    assert seen == [
        ("offline", "gateway:lung-sau"),
        ("offline", "node:lung-sau/L01"),
        ("offline", "node:lung-sau/T02"),
        ("tank_empty", "lung-sau-be-1"),
        ("tank_low", "lung-sau-be-1"),
    ]
    assert all(alert["raised_at"] < alert["cleared_at"] for alert in result["alerts"])


def test_every_page_answers_and_is_light(result: Any) -> None:
    assert {page["status"] for page in result["pages"]} == {200}
    assert all(page["compressed_bytes"] <= 14 * 1024 for page in result["pages"])
