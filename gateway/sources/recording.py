"""A field log: every line heard with its instant, to be read by people and played again."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, NamedTuple

from firmware_scripts.frame import MAX_UP

_MOST_BYTES: Final = 64_000_000
_LONGEST: Final = 2 * MAX_UP


class Line(NamedTuple):
    """One recorded line; `at_ms` is None where the file does not say when."""

    at_ms: int | None
    data: bytes


class Recorder:
    """Adds lines to a file: instant, a space, the line with strange bytes escaped.

    When the file has grown to 64 MB it becomes `NAME.1`, and what was there before is gone.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._held = b""
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take what was heard, in pieces of any size."""
        with self._lock:
            *lines, self._held = (self._held + data).replace(b"\r", b"").split(b"\n")
            if len(self._held) > _LONGEST:
                lines.append(self._held)
                self._held = b""
            for line in lines:
                self._add(line)

    def close(self) -> None:
        """Put what is still in memory on disk."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _add(self, line: bytes) -> None:
        if self._file is None or self._size > _MOST_BYTES:
            self._open()
        if self._file is not None and line:
            at = datetime.fromtimestamp(self._now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
            self._size += self._file.write(f"{at} {line.decode('ascii', 'backslashreplace')}\n")

    def _open(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("a", encoding="ascii")
        self._size = self._file.tell()


def read_recording(path: Path) -> Iterator[Line]:
    """The lines of a field log, or of any capture of a serial line (then without instants)."""
    with path.open("rb") as file:
        for raw in file:
            first, _, rest = raw.rstrip(b"\r\n").partition(b" ")
            at_ms = _read_instant(first)
            yield Line(at_ms, raw.rstrip(b"\r\n") if at_ms is None else rest)


def _read_instant(word: bytes) -> int | None:
    if not word[:4].isdigit() or b"T" not in word:
        return None
    try:
        at = datetime.fromisoformat(word.decode("ascii"))
    except ValueError:
        return None
    return round(at.timestamp() * 1000) if at.tzinfo else None
