"""Proves that every sentence has its Vietnamese: `python -m ingest_service.text.check`."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.text.words import LANGUAGES

_ROOT: Final = Path(__file__).resolve().parents[1]
_KEYWORDS: Final = {"say": None, "_": None, "gettext": None, "mark": None, "count": (1, 2), "ngettext": (1, 2)}
_METHODS: Final = [
    *((f"{folder}/**.py", "python") for folder in ("text", "web", "channels")),
    ("**/templates/**.html", "jinja2.ext:babel_extract"),
]
_OPTIONS: Final = {"**/templates/**.html": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}
_HOLE: Final = re.compile(r"%\((\w+)\)[sd]|%%|%")


def find_faults(root: Path = _ROOT) -> list[str]:
    """What a person would have to mend, one line each; empty when all is well."""
    catalog = read_po(BytesIO((root / "text/locales/vi/LC_MESSAGES/messages.po").read_bytes()), locale="vi")
    used = dict(_extract(root))
    return [*_missing(used, catalog), *_damaged(catalog), *_unused(used, catalog), *_labels()]


def _extract(root: Path) -> Iterator[tuple[str, str]]:
    """Each message with the place of its first use."""
    for path, line, message, _, _ in extract_from_dir(root, _METHODS, _OPTIONS, keywords=_KEYWORDS):
        yield (message if isinstance(message, str) else message[0]), f"{path}:{line}"


def _missing(used: dict[str, str], catalog: Catalog) -> Iterator[str]:
    for message, where in used.items():
        found = catalog.get(message)
        if found is None or not all(_texts(found)):
            yield f"{where}: no Vietnamese for {message!r}"


def _unused(used: dict[str, str], catalog: Catalog) -> Iterator[str]:
    for message in catalog:
        if message.id and _key(message) not in used:
            yield f"messages.po:{message.lineno}: nobody says {_key(message)!r}"
    for gone in catalog.obsolete.values():
        yield f"messages.po: obsolete entry {_key(gone)!r}"


def _damaged(catalog: Catalog) -> Iterator[str]:
    for message in catalog:
        if not message.id:
            continue
        if message.fuzzy:
            yield f"messages.po:{message.lineno}: fuzzy {_key(message)!r}"
        wanted = _holes(message.id if isinstance(message.id, str) else message.id[-1])
        for text in _texts(message):
            if text and _holes(text) != wanted:
                yield f"messages.po:{message.lineno}: placeholders differ in {text!r}"
            if text != unicodedata.normalize("NFC", text):
                yield f"messages.po:{message.lineno}: not NFC: {text!r}"


def _labels() -> Iterator[str]:
    for row in QUANTITIES.values():
        for language in LANGUAGES:
            if not row.label.get(language):
                yield f"domain/catalogue.py: {row.key} has no label in {language}"


def _holes(text: str) -> set[str]:
    """Names of the placeholders; a bare per cent sign counts as one that nobody can fill."""
    return {hit[1] or hit[0] for hit in _HOLE.finditer(text) if hit[0] != "%%"}


def _key(message: Message) -> str:
    return str(message.id if isinstance(message.id, str) else message.id[0])


def _texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def main() -> int:
    """Print the faults; 1 if there are any."""
    faults = find_faults()
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
