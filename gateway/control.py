"""A local door to the running gateway: one JSON line asks, one answers, over a socket in its data folder."""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

Body = Mapping[str, object]
Answer = Callable[[Body], Body]

_NAME: Final = "control.sock"
_PATIENCE_S: Final = 30.0
_MOST_BYTES: Final = 64 * 1024


class ControlError(Exception):
    """The gateway cannot be asked; the words say why and what to do."""


class Control:
    """Answers local questions in a thread of its own, one after the other."""

    def __init__(self, data_dir: Path, answer: Answer) -> None:
        self._path = data_dir / _NAME
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def start(self) -> None:
        """Open the door; only this user may come in. OSError when the path cannot be used (longer than 107 bytes)."""
        self._path.unlink(missing_ok=True)  # the spool's lock has shown that nobody else is running here
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        self._socket.listen(4)
        self._thread.start()

    def stop(self) -> None:
        """Close the door."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return  # closed
            with visitor:
                visitor.settimeout(_PATIENCE_S)
                with contextlib.suppress(OSError):  # the visitor left
                    self._attend(visitor)

    def _attend(self, visitor: socket.socket) -> None:
        with visitor.makefile("rwb") as lines:
            line = lines.readline(_MOST_BYTES)
            try:
                question = json.loads(line)
            except ValueError:
                question = None
            known = isinstance(question, dict)
            answer = self._answer(question) if known else {"error": "the question is no JSON object"}
            lines.write(json.dumps(answer).encode() + b"\n")


def ask(data_dir: Path, question: Body) -> dict[str, object]:
    """Ask the gateway that runs on this data folder.

    Raises:
        ControlError: nobody answers there.
    """
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(_PATIENCE_S)
            door.connect(str(data_dir / _NAME))
            with door.makefile("rwb") as lines:
                lines.write(json.dumps(question).encode() + b"\n")
                lines.flush()
                answer = json.loads(lines.readline())
    except PermissionError:
        raise ControlError(f"not allowed to ask the gateway in {data_dir}: try with sudo") from None
    except (OSError, ValueError) as error:
        raise ControlError(f"no gateway answers in {data_dir} ({error}): is it running?") from None
    return dict(answer)
