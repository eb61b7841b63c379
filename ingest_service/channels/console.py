"""Notices on standard output: for a demonstration, and for whoever watches the server's log."""

import sys
from typing import TextIO


class ConsoleChannel:
    """Writes each notice as one line."""

    name = "console"

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def send(self, text: str) -> None:
        """Write one notice; OSError when the output is gone."""
        out = self._out or sys.stdout
        print(f"NOTICE {' / '.join(text.splitlines())}", file=out, flush=True)
