"""Alert sentences, word for word."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingest_service.domain.alert import RULES
from ingest_service.domain.places import Asset, Contact, Node, Place, Register, Tank, TankShape
from ingest_service.services.ports import AlertChange, AlertState
from ingest_service.text.advice import STATES, advise
from ingest_service.text.alerts import explain_evidence, name_subject, render_alert, render_alert_sms, title_alert
from ingest_service.text.sms import count_parts
from ingest_service.text.words import LANGUAGES, Language

AT_MS = int(datetime(2026, 11, 23, 10, 30, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
TANK = Tank(TankShape("cylinder", {"diameter_m": 1.5}), 0.1, 1.7, 2.1)
REGISTER = Register(
    places={"ls": Place("ls", "Lũng Sâu", contacts=(Contact("KTV", "09xx xxx xxx", "technician"),))},
    assets={
        "b1": Asset("b1", "ls", "tank", "Bể Lũng Sâu 1", TANK),
        "l2": Asset("l2", "ls", "tank", "Lũng Sâu 2", TANK),
        "lu": Asset("lu", "ls", "tank", "Lu nhà văn hóa", replace(TANK, source="rain")),
    },
    nodes={"gw/T01": Node("gw", "T01", "ls")},
)


def change(
    rule: str, asset: str = "b1", state: AlertState = "raised", reason: str = "", **evidence: object
) -> AlertChange:
    return AlertChange("id", rule, asset, state, "warning", AT_MS, AT_MS, reason, evidence)  # type: ignore[arg-type]


LOW = change("tank_low", fill_pct=28.0, volume_l=840.0, days_left=5.4)
HURRY = change("tank_low", fill_pct=28.0, volume_l=840.0, days_left=0.6)
EMPTY = change("tank_empty", fill_pct=3.0, volume_l=90.0)
SPAN = {"window_from_ms": AT_MS - 40 * MINUTE_MS, "window_to_ms": AT_MS}
OVER = change("overflow", value=99.0, unit="%", **SPAN)
RAIN = change("overflow", "lu", value=99.0, unit="%", **SPAN)
HALF_DAY = {"window_from_ms": AT_MS - 12 * 60 * MINUTE_MS, "window_to_ms": AT_MS, "value": 0.5, "unit": "m"}
STUCK = change("stuck", reason="still_though_flowing", **HALF_DAY)
STILL = change("stuck", reason="identical", **HALF_DAY)
RANGE = change("range", value=0.8, unit="share")
GONE = change("offline", "gateway:gw", last_heard_ms=AT_MS - 35 * MINUTE_MS)
CLOSED = change("tank_low", "be-cu", state="cleared", reason="removed")
BACK = change("tank_low", state="cleared", fill_pct=46.0, volume_l=1380.0)

VECTORS = [
    (
        LOW,
        "Bể Lũng Sâu 1 còn 28% (840 lít), dùng được khoảng 5 ngày. Xin dùng tiết kiệm. 23/11 17:30",
        "Be Lung Sau 1 con 28% (840 lit), dung duoc khoang 5 ngay. Xin dung tiet kiem. 23/11 17:30",
        "Tank Lũng Sâu 1 at 28% (840 L), about 5 days left. Please save water. 23/11 17:30",
    ),
    (
        HURRY,
        "Bể Lũng Sâu 1 còn 28% (840 lít), dùng chưa được một ngày. Xin dùng tiết kiệm. 23/11 17:30",
        "Be Lung Sau 1 con 28% (840 lit), dung chua duoc mot ngay. Xin dung tiet kiem. 23/11 17:30",
        "Tank Lũng Sâu 1 at 28% (840 L), less than a day left. Please save water. 23/11 17:30",
    ),
    (
        CLOSED,
        "ĐÃ ĐÓNG: be-cu không còn được theo dõi. 23/11 17:30",
        "DA DONG: be-cu khong con duoc theo doi. 23/11 17:30",
        "CLOSED: be-cu is no longer watched. 23/11 17:30",
    ),
    (
        EMPTY,
        "HẾT NƯỚC: bể Lũng Sâu 1 còn 3% (90 lít). Kiểm tra nguồn, van và đường ống. Gọi KTV 09xx xxx xxx. 23/11 17:30",
        "HET NUOC: be Lung Sau 1 con 3% (90 lit). Kiem tra nguon, van va duong ong. Goi KTV 09xx xxx xxx. 23/11 17:30",
        "EMPTY: tank Lũng Sâu 1 at 3% (90 L). Check source, valves, pipe. Call technician 09xx xxx xxx. 23/11 17:30",
    ),
    (
        OVER,
        "Bể Lũng Sâu 1 đầy tràn 40 phút (99%). Xin đóng van vào hoặc xem phao. 23/11 17:30",
        "Be Lung Sau 1 day tran 40 phut (99%). Xin dong van vao hoac xem phao. 23/11 17:30",
        "Tank Lũng Sâu 1 overflowing for 40 min (99%). Close the inlet or check the float valve. 23/11 17:30",
    ),
    (
        RAIN,
        "Lu nhà văn hóa đầy nước mưa 40 phút (99%). Để nước thừa chảy theo rãnh. 23/11 17:30",
        "Lu nha van hoa day nuoc mua 40 phut (99%). De nuoc thua chay theo ranh. 23/11 17:30",
        "Tank nhà văn hóa full of rain water for 40 min (99%). Let the rest run off. 23/11 17:30",
    ),
    (
        STUCK,
        "Cảm biến mực nước bể Lũng Sâu 1 đứng yên 12 giờ dù có nước chảy. KTV kiểm tra đầu dò, dây cáp. 23/11 17:30",
        "Cam bien muc nuoc be Lung Sau 1 dung yen 12 gio du co nuoc chay. KTV kiem tra dau do, day cap. 23/11 17:30",
        "Level sensor tank Lũng Sâu 1 unchanged 12 h although water is flowing. Check probe and cable. 23/11 17:30",
    ),
    (
        STILL,
        "Cảm biến mực nước bể Lũng Sâu 1 đứng yên 12 giờ. KTV kiểm tra đầu dò, dây cáp. 23/11 17:30",
        "Cam bien muc nuoc be Lung Sau 1 dung yen 12 gio. KTV kiem tra dau do, day cap. 23/11 17:30",
        "Level sensor tank Lũng Sâu 1 unchanged 12 h. Check probe and cable. 23/11 17:30",
    ),
    (
        RANGE,
        "Cảm biến bể Lũng Sâu 1 báo sai (ngoài khoảng đo). Số liệu tạm không dùng. KTV kiểm tra. 23/11 17:30",
        "Cam bien be Lung Sau 1 bao sai (ngoai khoang do). So lieu tam khong dung. KTV kiem tra. 23/11 17:30",
        "Sensor tank Lũng Sâu 1 out of range. Readings are being ignored. Technician please check. 23/11 17:30",
    ),
    (
        GONE,
        "Trạm Lũng Sâu MẤT KẾT NỐI từ 16:55 ngày 23/11. Số liệu có thể đã cũ. Kiểm tra nguồn điện, sóng.",
        "Tram Lung Sau MAT KET NOI tu 16:55 ngay 23/11. So lieu co the da cu. Kiem tra nguon dien, song.",
        "Gateway Lũng Sâu OFFLINE since 16:55 on 23/11. Data may be old. Check power and signal.",
    ),
    (
        BACK,
        "ĐÃ XONG: bể Lũng Sâu 1 có nước lại, 46% (1.380 lít). Cảm ơn bà con. 23/11 17:30",
        "DA XONG: be Lung Sau 1 co nuoc lai, 46% (1.380 lit). Cam on ba con. 23/11 17:30",
        "RESOLVED: tank Lũng Sâu 1 has water again, 46% (1,380 L). 23/11 17:30",
    ),
]


@pytest.mark.parametrize(("told", "vi", "plain", "en"), VECTORS, ids=[f"{v[0].rule}-{v[0].state}" for v in VECTORS])
def test_sentences(told: AlertChange, vi: str, plain: str, en: str) -> None:
    assert render_alert(told, REGISTER, "vi") == vi
    assert render_alert_sms(told, REGISTER) == plain
    assert render_alert(told, REGISTER, "en") == en


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("state", ["raised", "changed", "cleared"])
@pytest.mark.parametrize("asset", ["b1", "l2", "gone", "node:gw/T01", "gateway:gw", "gateway:other"])
def test_every_rule_has_a_sentence_that_fits_one_short_message(rule: str, state: AlertState, asset: str) -> None:
    told = change(rule, asset, state, fill_pct=28.0, volume_l=123456.0, **SPAN)
    for language in LANGUAGES:
        sentence = render_alert(told, REGISTER, language)
        assert "%(" not in sentence
        assert "None" not in sentence
        assert sentence[0].isupper()
    plain = render_alert_sms(told, REGISTER)
    assert "?" not in plain
    assert count_parts(plain) == 1


def test_a_long_name_is_cut_in_short_messages_only() -> None:
    name = "Bể " + "Khuổi Nậm Pắc Thượng Lũng " * 4
    register = Register(places=REGISTER.places, assets={"b1": Asset("b1", "ls", "tank", name, TANK)})
    assert count_parts(render_alert_sms(EMPTY, register)) == 1
    assert name[4:].strip() in render_alert(EMPTY, register, "vi")


def test_what_is_not_known_is_left_out() -> None:
    assert render_alert(change("tank_low", fill_pct=28.0), REGISTER, "vi") == (
        "Bể Lũng Sâu 1 còn 28%. Xin dùng tiết kiệm. 23/11 17:30"
    )


def test_a_tank_without_the_word_gets_it_once() -> None:
    assert render_alert(change("range", "l2"), REGISTER, "vi").startswith("Cảm biến bể Lũng Sâu 2 báo sai")
    assert render_alert(change("range", "l2"), REGISTER, "en").startswith("Sensor tank Lũng Sâu 2 out")


def test_a_rule_that_nobody_named_is_still_told() -> None:
    assert render_alert(change("new_rule"), REGISTER, "vi") == "Cảnh báo new_rule: bể Lũng Sâu 1. 23/11 17:30"
    assert title_alert("new_rule", "vi") == "new_rule"


@pytest.mark.parametrize(
    ("subject", "language", "name"),
    [
        ("b1", "en", "Bể Lũng Sâu 1"),
        ("gateway:gw", "vi", "Trạm Lũng Sâu"),
        ("node:gw/T01", "vi", "Bộ đo T01, Lũng Sâu"),
        ("node:x/T09", "en", "Node T09"),
    ],
)
def test_subjects(subject: str, language: Language, name: str) -> None:
    assert name_subject(subject, REGISTER, language) == name


def test_evidence_is_shown_with_its_unit() -> None:
    told = change("tank_low", value=39.64, unit="%", threshold=40.0, fill_pct=39.64, samples=30, secret="x", **SPAN)
    assert explain_evidence(told, "vi") == [
        ("Đo được", "39,6%"),
        ("Ngưỡng", "40%"),
        ("Xem xét", "23/11 16:50 – 23/11 17:30"),
        ("Số lần đo đã xem", "30"),
    ]
    assert explain_evidence(RANGE, "en") == [("Measured", "80%")]


@pytest.mark.parametrize("state", [*RULES, "ok", "no_data", "overflow_rain"])
def test_there_is_advice_for_every_state(state: str) -> None:
    assert state in STATES
    assert advise(state, "vi")
    assert advise(state, "vi") != advise(state, "en")
