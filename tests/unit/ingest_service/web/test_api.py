"""The JSON API's contract."""

import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest_service.services.ports import StoreUnavailableError
from ingest_service.web.app import create_app
from tests.support.serving import served
from tests.support.water_village import TANKS, Village, open_village

SERIES = "/api/v1/series?asset=be-thap&quantity=fill_pct"


def ask(site: httpx.Client, path: str) -> Any:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_places_and_assets(site: httpx.Client) -> None:
    places = {place["key"]: place for place in ask(site, "/api/v1/places")}
    assert places["lung-sau"]["assets"] == ["be-thap", "be-tran", "loc-1", "tuyen-1"]
    assert places["ban-trong"]["people"] is None
    tank = ask(site, "/api/v1/assets/be-thap")
    assert tank["capacity_l"] == pytest.approx(2827.4)
    assert (tank["shape"], tank["kind"]) == ("cylinder", "tank")
    assert {asset["key"] for asset in ask(site, "/api/v1/assets?place=na-mau")} == set(TANKS) - {"be-thap", "be-tran"}


def test_latest_gives_the_newest_and_the_last_good(site: httpx.Client) -> None:
    found = {row["quantity"]: row for row in ask(site, "/api/v1/latest?asset=be-ngo")}
    fill = found["fill_pct"]
    assert (fill["at"], fill["value"], fill["qc"]) == ("2026-11-23T10:20:00Z", 4.0, 3)
    assert fill["good_at"] == "2026-11-23T09:20:00Z"
    assert fill["good_value"] == pytest.approx(71.6, abs=0.5)
    assert not fill["stale"]
    assert all(row["stale"] for row in ask(site, "/api/v1/latest?asset=be-cu"))
    assert ask(site, "/api/v1/latest?asset=be-moi") == []


def test_series_by_steps(site: httpx.Client) -> None:
    answer = ask(site, f"{SERIES}&from=2026-11-23T00:00:00Z&to=2026-11-23T03:00:00Z&step=3600&aggregate=last")
    assert (answer["step_s"], answer["aggregate"], answer["unit"]) == (3600, "last", "%")
    assert [point["at"] for point in answer["points"]] == [f"2026-11-23T0{hour}:00:00Z" for hour in range(3)]
    assert {point["samples"] for point in answer["points"]} == {6}


def test_series_as_it_is_takes_any_offset_and_ends_now(site: httpx.Client) -> None:
    answer = ask(site, f"{SERIES}&from=2026-11-23T17:00:00%2B07:00")
    assert [point["at"] for point in answer["points"]] == [f"2026-11-23T10:{minute}0:00Z" for minute in range(3)]
    assert answer["points"][0]["qc"] == 1
    assert answer["aggregate"] is None


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/v1/nothing", 404, "Not Found"),
        ("/api/v1/assets/khong", 404, "/api/v1/assets lists them"),
        ("/api/v1/latest?asset=khong", 404, "/api/v1/assets lists them"),
        ("/api/v1/series?asset=be-thap&quantity=fill_pct", 400, "from"),
        (f"{SERIES}&from=yesterday", 400, "from"),
        (f"{SERIES}&from=2026-11-23T00:00:00", 400, "timezone"),
        (f"{SERIES}&from=2026-11-23T00:00:00Z&to=2026-11-22T00:00:00Z", 400, "from must lie before to"),
        (f"{SERIES}&from=2026-09-01T00:00:00Z", 400, "step=3600"),
        (f"{SERIES}&from=2026-01-01T00:00:00Z&step=60", 400, "10000 steps"),
        (f"{SERIES}&from=0001-01-01T00:00:00Z&step=86400", 400, "3700 days"),
        (f"{SERIES}&from=2026-11-23T00:00:00Z&step=5", 400, "60"),
        (f"{SERIES}&from=2026-11-23T00:00:00Z&step=3600&aggregate=mode", 400, "aggregate"),
        ("/api/v1/series?asset=be-thap&quantity=x&from=2026-11-23T00:00:00Z", 400, "fill_pct"),
        ("/api/v1/series?asset=khong&quantity=fill_pct&from=2026-11-23T00:00:00Z", 404, "khong"),
        ("/api/v1/alerts?open=perhaps", 400, "open"),
    ],
)
def test_faults_are_problem_details_that_name_the_mend(site: httpx.Client, path: str, status: int, word: str) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert word in problem["detail"]


def test_alerts_open_and_all(site: httpx.Client) -> None:
    alerts = ask(site, "/api/v1/alerts")
    assert alerts[0]["rule"] == "tank_empty"
    low = next(alert for alert in alerts if alert["rule"] == "tank_low")
    assert (low["raised_at"], low["evidence"]["threshold"]) == ("2026-11-23T09:25:00Z", 40.0)
    assert low["text"]["vi"].startswith("Bể Lũng Sâu 1 còn 40%")
    assert len(ask(site, "/api/v1/alerts?open=false&asset=be-thap")) == 1


def test_no_telephone_number_leaves_by_the_api(site: httpx.Client) -> None:
    for path in ("places", "assets", "latest", "alerts", "alerts?open=false"):
        assert "0900" not in site.get(f"/api/v1/{path}").text


def test_every_field_and_fault_is_described(site: httpx.Client) -> None:
    described = ask(site, "/api/v1/openapi.json")
    assert set(described["paths"]) == {
        f"/api/v1/{path}" for path in ("places", "assets", "assets/{key}", "latest", "series", "alerts")
    }
    for path, verbs in described["paths"].items():
        assert verbs["get"]["description"], path
        assert "404" in verbs["get"]["responses"]
        assert "422" not in verbs["get"]["responses"], path


def test_health_and_figures(site: httpx.Client) -> None:
    assert site.get("/healthz").text == "ok\n"
    assert ask(site, "/readyz") == {"ready": True}
    figures = site.get("/metrics").text
    for line in (
        'monuoc_open_alerts{rule="tank_low"} 1.0',
        'monuoc_open_alerts{rule="stuck"} 0.0',
        'monuoc_gateway_spool_depth{gateway="lung-sau"} 3.0',
        'monuoc_gateway_online{gateway="lung-sau"} 1.0',
        'monuoc_rejects{reason="not_json"} 1.0',
        'monuoc_node_reading_age_seconds{node="na-mau/T05"} 18600.0',
        'monuoc_web_request_seconds_count{route="/healthz",status="200"}',
    ):
        assert line in figures


class Down:
    """Records that cannot be reached."""

    def __getattr__(self, _: str) -> Any:
        raise StoreUnavailableError("records: disk is full")


def test_a_store_that_is_down_is_said_with_its_reason(tmp_path: Path) -> None:
    with contextlib.closing(open_village(tmp_path)) as village:
        records: Any = Down()
        app = create_app(village.observations, records, village.now)
        with served(app) as address, httpx.Client(base_url=address) as client:
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["reason"]) == (503, "records: disk is full")
            assert client.get("/healthz").status_code == 200
            page = client.get("/")
            assert (page.status_code, page.headers["retry-after"]) == (503, "30")
            assert "Lúc này chưa đọc được số liệu" in page.text
            assert client.get("/api/v1/places").headers["content-type"] == "application/problem+json"
            assert client.get("/metrics").status_code == 503


class Broken:
    """Records with a bug."""

    def __getattr__(self, _: str) -> Any:
        raise KeyError("bug")


def test_a_bug_is_answered_as_ours(tmp_path: Path) -> None:
    with contextlib.closing(open_village(tmp_path)) as village:
        records: Any = Broken()
        with served(create_app(village.observations, records, village.now)) as address:
            page = httpx.get(address)  # a connection for each: the server closes it behind a bug
            assert page.status_code == 500
            assert "Hệ thống bị lỗi" in page.text
            assert "bug" not in page.text
            assert httpx.get(f"{address}/api/v1/places").json()["status"] == 500


def test_two_applications_do_not_meet(village: Village) -> None:
    create_app(village.observations, village.records, village.now)
    create_app(village.observations, village.records, village.now)


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/places"])
def test_a_monitor_may_ask_for_the_head_alone(site: httpx.Client, path: str) -> None:
    whole, head = site.get(path), site.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]
