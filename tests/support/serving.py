"""An application on a real socket of the loopback address."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from tests.support.broker import free_port
from tests.support.wait import until


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Its address while the block runs."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, what="for the server to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
