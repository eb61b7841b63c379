"""The check finds what a translator forgot."""

from pathlib import Path

import pytest

from ingest_service.text.check import find_faults, main

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def faults(folder: Path, code: str, catalogue: str, template: str = "") -> list[str]:
    (folder / "text/locales/vi/LC_MESSAGES").mkdir(parents=True)
    (folder / "text/locales/vi/LC_MESSAGES/messages.po").write_text(HEAD + catalogue)
    (folder / "web/templates").mkdir(parents=True)
    (folder / "text/code.py").write_text(code)
    (folder / "web/templates/page.html").write_text(template)
    return find_faults(folder)


def test_our_own_catalogue_is_whole() -> None:
    assert find_faults() == []
    assert main() == 0


@pytest.mark.parametrize(
    ("code", "catalogue", "template", "word"),
    [
        ('words.say("Empty")', "", "", "no Vietnamese for 'Empty'"),
        ('mark("Empty")', 'msgid "Empty"\nmsgstr ""\n', "", "no Vietnamese"),
        ("", "", '{{ _("Full") }}', "no Vietnamese for 'Full'"),
        ("", 'msgid "Old"\nmsgstr "Cũ"\n', "", "nobody says 'Old'"),
        ('mark("at %(x)s")', 'msgid "at %(x)s"\nmsgstr "ở %(y)s"\n', "", "placeholders differ"),
        ('mark("at %(x)s")', 'msgid "at %(x)s"\nmsgstr "ở %(x)s 5%"\n', "", "placeholders differ"),
        ('mark("Full")', '#, fuzzy\nmsgid "Full"\nmsgstr "Đầy"\n', "", "fuzzy"),
        ('mark("Full")', 'msgid "Full"\nmsgstr "Đầy\u0301"\n', "", "not NFC"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, code: str, catalogue: str, template: str, word: str) -> None:
    found = faults(tmp_path, code, catalogue, template)
    assert any(word in line for line in found), found


def test_a_whole_catalogue_has_no_fault(tmp_path: Path) -> None:
    code = 'words.count("%(number)s day", "%(number)s days", 2)'
    catalogue = 'msgid "%(number)s day"\nmsgid_plural "%(number)s days"\nmsgstr[0] "%(number)s ngày"\n'
    assert faults(tmp_path, code, catalogue) == []
