"""A field log: every line heard with its instant, to be read by people and played again."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, NamedTuple

from firmware_scripts.frame import MAX_UP

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 64_000_000
_LONGEST: Final = 2 * MAX_UP


class Line(NamedTuple):
    """One recorded line; `at_ms` is None where the file does not say when."""

    at_ms: int | None
    data: bytes


class Recorder:
    """Adds lines to a file: instant, a space, the line with strange bytes escaped.

    When the file has grown to 64 MB it becomes `NAME.1`, and what was there before is gone. A disk that refuses costs
    lines of this file and nothing else: readings must not wait for a log.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self._held: dict[str, bytes] = {}
        self._size = 0
        self._troubled = False

    def write(self, data: bytes, port: str = "") -> None:
        """Take what was heard on a port, in pieces of any size; several ports may share one file."""
        with self._lock:
            *lines, held = (self._held.get(port, b"") + data).replace(b"\r", b"").split(b"\n")
            if len(held) > _LONGEST:
                lines.append(held)
                held = b""
            self._held[port] = held
            try:
                for line in lines:
                    self._add(line)
            except OSError as error:
                self._stumble(error)

    def close(self) -> None:
        """Put what is still in memory on disk."""
        with self._lock, contextlib.suppress(OSError):
            self._drop()

    def _add(self, line: bytes) -> None:
        if self._file is None or self._size > _MOST_BYTES:
            self._open()
        if self._file is not None and line:
            at = datetime.fromtimestamp(self._now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
            self._size += self._file.write(f"{at} {line.decode('ascii', 'backslashreplace')}\n")
            self._troubled = False

    def _stumble(self, error: OSError) -> None:
        if not self._troubled:
            log.warning("%s cannot be written (%s); lines are missing in it until it can", self._path, error.strerror)
        self._troubled = True
        with contextlib.suppress(OSError):
            self._drop()

    def _drop(self) -> None:
        """Close the file, also when the disk does not take what is still in memory."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _open(self) -> None:
        if self._file is not None:
            self._drop()
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
