"""A socket that reads and writes in large pieces for a client that asks for single bytes.

paho reads each packet with four or five calls and writes each acknowledgement with one; with this between it and the
kernel a whole burst costs one call each way (measured: a third more messages a second).
"""

import socket
import ssl
from typing import Final

_PIECE_BYTES: Final = 256 * 1024


class BufferedSocket:
    """Wraps a connected stream socket; what is sent goes out with `flush`."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._received = b""
        self._position = 0
        self._unsent = bytearray()
        self._ended = False

    def fill(self) -> None:
        """Take what has arrived; a broken connection counts as the end of the stream."""
        pieces = [self._received[self._position :]]
        try:
            while True:
                piece = self._inner.recv(_PIECE_BYTES)
                self._ended = not piece
                pieces.append(piece)
                # A TLS layer may hold more than select() can see.
                if not piece or not isinstance(self._inner, ssl.SSLSocket) or not self._inner.pending():
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self._ended = True
        self._received, self._position = b"".join(pieces), 0

    def has_more(self) -> bool:
        """True while `recv` would not block."""
        return self._ended or self._position < len(self._received)

    def has_unsent(self) -> bool:
        """True while the peer has not taken all that was sent."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what the peer can take now; a broken connection counts as the end of the stream."""
        try:
            while self._unsent:
                del self._unsent[: self._inner.send(self._unsent)]
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._unsent.clear()
            self._ended = True

    def recv(self, size: int) -> bytes:
        """Next bytes, b"" at the end of the stream; BlockingIOError when nothing has arrived."""
        start = self._position
        piece = self._received[start : start + size]
        if not piece and not self._ended:
            raise BlockingIOError
        self._position = start + len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Queue all of `data`."""
        self._unsent += data
        return len(data)

    def fileno(self) -> int:
        """The kernel's number of it, for select()."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the signature of a socket
        """Whether calls wait; paho switches it off."""
        self._inner.setblocking(flag)

    def close(self) -> None:
        """Send what can be sent at once, then close."""
        self.flush()
        self._inner.close()
