"""Pages as people read them, in both languages."""

import contextlib
import html
import re
from pathlib import Path

import httpx
import pytest

from ingest_service.domain.places import Asset, Contact, Place, Register
from ingest_service.text.words import LANGUAGES
from ingest_service.web.app import create_app
from tests.support.serving import served
from tests.support.water_village import DAY_MS, NOW_MS, TANKS, open_village

ASSETS = (*TANKS, "loc-1", "tuyen-1")
PATHS = (
    *("/", "/places/lung-sau", "/places/na-mau", "/places/ban-trong", "/alerts", "/nothing"),
    *(f"/assets/{key}" for key in ASSETS),
)
MOST_BYTES = 14 * 1024


def read(site: httpx.Client, path: str, language: str = "vi") -> str:
    """What stands on the page, one line for each element."""
    page = site.get(path, headers={"accept-language": language}).text
    body = re.sub(r"(?s)<(style|title)>.*?</\1>", "", page)
    text = html.unescape(re.sub(r"<[^>]+>", "\n", body))
    return "\n".join(line.strip().replace("\u00a0", " ") for line in text.splitlines() if line.strip())


def test_a_tank_tells_all_in_vietnamese(site: httpx.Client) -> None:
    text = read(site, "/assets/be-thap")
    for words in (
        "Bể Lũng Sâu 1", "Nước thấp", "từ 16:25 hôm nay", "đo lúc 17:20 hôm nay", "28%",
        "Mực nước 0,55 m", "đầy bể là 2.827 lít",
        "Dùng được khoảng 3 ngày", "Nên làm gì", "Dùng tiết kiệm: ưu tiên ăn uống.", "Gọi cho ai", "0900 000 002",
        "Bảy ngày qua", "thấp: 40%", "Trang này lập lúc 17:30 23/11/2026.",
    ):  # fmt: skip
        assert words in text


def test_a_tank_tells_all_in_english(site: httpx.Client) -> None:
    text = read(site, "/assets/be-thap", "en")
    for words in (
        "Water low", "since 16:25 today", "measured at 17:20 today", "28%",
        "Water level 0.55 m", "full: 2,827 L", "Lasts about 3 days",
        "What to do", "Whom to call", "low: 40%", "This page was made at 17:30 23/11/2026.",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("path", PATHS)
def test_no_english_is_left_in_vietnamese_and_the_other_way_round(site: httpx.Client, path: str) -> None:
    vietnamese, english = read(site, path), read(site, path, "en")
    assert not re.search(r"\b(the|Water|since|call|Last|low|day|of|Full|Outlet)\b", vietnamese)
    assert not re.search(r"\b(hôm nay|lít|ngày|bể là|Gọi|Nên|từ|đo)\b", english)
    assert "%(" not in vietnamese + english
    assert "None" not in vietnamese + english.replace("None. All is well.", "")


@pytest.mark.parametrize("path", PATHS)
def test_numbers_have_a_comma_and_days_are_written_as_here(site: httpx.Client, path: str) -> None:
    text = read(site, path)
    assert not re.search(r"\d\.\d{1,2}(?!\d)", text)
    assert not re.search(r"\d{4}-\d\d", text)
    assert not re.search(r"\b(AM|PM)\b", text)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_light_even_with_its_style(site: httpx.Client, path: str, language: str) -> None:
    headers = {"accept-language": language, "accept-encoding": "gzip"}
    with site.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert sum(len(part) for part in answer.iter_raw()) <= MOST_BYTES


def test_the_worst_comes_first(site: httpx.Client) -> None:
    text = read(site, "/")
    order = [text.index(TANKS[key][1]) for key in ("be-het", "be-ngo", "be-cu", "be-moi", "be-tot")]
    assert order == sorted(order)
    assert "6 trên 9 chỗ cần người xem." in text


def test_old_figures_are_called_old(site: httpx.Client) -> None:
    text = read(site, "/assets/be-cu")
    assert "Mất kết nối" in text
    assert "Đã 5 giờ không có số liệu mới: đây là số liệu cũ, đo lần cuối lúc 12:20 hôm nay." in text
    assert "Dùng được" not in text


def test_of_doubted_readings_the_last_good_one_is_shown(site: httpx.Client) -> None:
    text = read(site, "/assets/be-ngo")
    assert "Số liệu mới hơn không đáng tin. Đang hiện số liệu tốt gần nhất, lúc 16:20 hôm nay." in text
    assert "72%" in text
    assert "4%" not in text.replace("40%", "")


def test_no_figures_are_said_in_words(site: httpx.Client) -> None:
    text = read(site, "/assets/be-moi")
    assert "Chưa có số liệu" in text
    assert "Bảy ngày qua chưa có số liệu." in text
    assert "Ở đây chưa đo gì." in read(site, "/places/ban-trong")


def test_a_gap_in_the_week_is_a_gap_in_the_line(site: httpx.Client) -> None:
    page = site.get("/assets/be-tot").text
    line = re.search(r'class="line" d="([^"]+)"', page)
    assert line is not None
    assert line[1].count("M") == 2
    assert "Chỗ đường bị đứt là lúc không đo được." in read(site, "/assets/be-tot")


def test_alerts_tell_reason_and_evidence(site: httpx.Client) -> None:
    text = read(site, "/alerts")
    for words in (
        "5 cảnh báo", "HẾT NƯỚC: téc đầu xóm còn 4% (64 lít). Kiểm tra nguồn, van và đường ống. Gọi KTV 0900 000 002.",
        "Nghiêm trọng", "Ngưỡng", "39,6%", "Bộ đo T05, Nà Mẫu",
    ):  # fmt: skip
        assert words in text


def test_the_label_leads_to_the_tank(site: httpx.Client) -> None:
    page = site.get("/assets/be-thap/label").text
    assert "nuoc.example.vn/assets/be-thap" in page
    assert "Quét mã" in page
    assert "Scan to see" in page
    assert page.count("<svg") == 2


def test_language_follows_address_then_cookie_then_browser(site: httpx.Client) -> None:
    assert 'lang="vi"' in site.get("/").text[:60]
    assert 'lang="en"' in site.get("/", headers={"accept-language": "en-GB"}).text[:60]
    assert 'lang="vi"' in site.get("/", headers={"accept-language": "en", "cookie": "lang=vi"}).text[:60]
    asked = site.get("/?lang=en", headers={"cookie": "lang=vi"})
    assert 'lang="en"' in asked.text[:60]
    assert asked.headers["set-cookie"].startswith("lang=en;")
    site.cookies.clear()


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
def test_the_choice_of_language_leads_nowhere_else(site: httpx.Client, elsewhere: str) -> None:
    answer = site.get("/lang/en", params={"next": elsewhere})
    site.cookies.clear()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert site.get("/lang/xx").status_code == 404


def test_what_the_browser_has_is_not_sent_again(site: httpx.Client) -> None:
    first = site.get("/assets/be-thap")
    again = site.get("/assets/be-thap", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age=20" in again.headers["cache-control"]
    other = site.get("/assets/be-thap", headers={"if-none-match": first.headers["etag"], "accept-language": "en"})
    assert other.status_code == 200


def test_nothing_but_our_own_style_may_run(site: httpx.Client) -> None:
    answer = site.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nothing", "/assets/khong", "/places/khong", "/assets/khong/label", "/assets/%00"])
def test_a_wrong_address_is_answered_in_ones_language(site: httpx.Client, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == 404
    assert "Ở đây không có gì" in answer.text
    assert "Nothing is here" in site.get(path, headers={"accept-language": "en"}).text


def test_a_page_cannot_be_posted_to(site: httpx.Client) -> None:
    assert "Trang này chỉ để xem." in site.post("/").text


def test_names_from_outside_cannot_make_markup(tmp_path: Path) -> None:
    bad = "<b>\"&'%s%(x)s</b>"
    place = Place("p", bad, bad, contacts=(Contact(bad, "<1>", "group"),))
    register = Register(places={"p": place}, assets={"a": Asset("a", "p", "tank", bad, TANKS["be-tot"][2])})
    with contextlib.closing(open_village(tmp_path)) as village:
        village.records.replace_register(register)
        village.fill("be-tot", lambda _: 50.0, NOW_MS - DAY_MS, NOW_MS, 600_000)
        village.raise_alert("a", "tank_low", "warning", 1000, "below", value=3, unit="%")
        app = create_app(village.observations, village.records, village.now)
        with served(app) as address, httpx.Client(base_url=address) as client:
            for path in ("/", "/places/p", "/assets/a", "/assets/a/label", "/alerts"):
                answer = client.get(path)
                assert answer.status_code == 200
                assert "<b>&#34;" not in answer.text
                assert '<b>"' not in answer.text
                assert "%(x)s&lt;/b&gt;" in answer.text


def test_a_village_without_anything_is_told_so(tmp_path: Path) -> None:
    with contextlib.closing(open_village(tmp_path)) as village:
        app = create_app(village.observations, village.records, village.now)
        with served(app) as address, httpx.Client(base_url=address) as client:
            assert "Chưa nhập xóm nào." in client.get("/").text
            assert "Không có. Mọi thứ đều ổn." in client.get("/alerts").text
            assert client.get("/metrics").status_code == 200


def test_a_new_register_shows_at_once(tmp_path: Path) -> None:
    with contextlib.closing(open_village(tmp_path)) as village:
        app = create_app(village.observations, village.records, village.now)
        with served(app) as address, httpx.Client(base_url=address) as client:
            client.get("/")
            village.records.replace_register(Register(places={"p": Place("p", "Khuổi Mới")}))
            assert "Khuổi Mới" in client.get("/").text


def test_the_picture_in_the_tab(site: httpx.Client) -> None:
    answer = site.get("/favicon.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
