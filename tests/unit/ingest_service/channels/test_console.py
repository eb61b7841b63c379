"""The console channel writes one line a notice."""

import io

import pytest

from ingest_service.channels.console import ConsoleChannel


def test_a_notice_is_one_line() -> None:
    out = io.StringIO()
    ConsoleChannel(out).send("Bể 1: 12 %\nGọi 0900")
    assert out.getvalue() == "NOTICE Bể 1: 12 % / Gọi 0900\n"


def test_without_an_output_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleChannel().send("Bể 1")
    assert capsys.readouterr().out == "NOTICE Bể 1\n"
