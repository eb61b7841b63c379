"""Short messages: plain letters, counted in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.text.sms import count_parts, sms


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Đường ống", "Duong ong"),
        ("ẮÂĂÊÔƠƯỲỶỸỴ", "AAAEOOUYYYY"),
        ("Nước ở bể Lũng Sâu còn 12,5%", "Nuoc o be Lung Sau con 12,5%"),
        ("1.250.000\u00a0₫", "1.250.000 VND"),
        ("“3 m²” – 20°C…", '"3 m2" - 20C...'),
        ("水", "?"),
    ],
)
def test_accents_go(text: str, plain: str) -> None:
    assert sms(text) == plain


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Đ" * 70, 1), ("Đ" * 71, 2), ("Đ" * 134, 2), ("Đ" * 135, 3),
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3),
        ("€" * 80, 1), ("€" * 81, 2), ("à" * 160, 1), ("ă" * 71, 2), ("", 1),
    ],
)  # fmt: skip
def test_parts(text: str, parts: int) -> None:
    assert count_parts(text) == parts


@given(st.text())
def test_whatever_comes_is_plain_and_never_longer_than_one_letter_in_plain_text(text: str) -> None:
    plain = sms(text)
    assert plain.isascii()
    assert sms(plain) == plain
