"""A serial cable as a pseudo terminal: unplugged, plugged in again, noisy.

The slave's name is linked to where a gateway looks for its port. As on a real line, what a node sends while nobody
has the port open is lost, and a full buffer loses what comes next.
"""

import contextlib
import os
import pty
import random
import select
import tty
from pathlib import Path


class Cable:
    """One cable.

    Attributes:
        rate: chance of damage per byte from the node: a flipped bit, a lost byte, an extra byte.
        damages: how many there were.
        dropped: bytes that nobody took.
    """

    def __init__(self, link: Path, dice: random.Random) -> None:
        self.rate = 0.0
        self.damages = 0
        self.dropped = 0
        self._link = link
        self._dice = dice
        self._master = -1
        self._poll = select.poll()

    @property
    def master(self) -> int:
        """Descriptor of the node's end; -1 while unplugged."""
        return self._master

    def plug(self) -> None:
        """Make a new terminal and link its name; harmless when plugged in."""
        if self._master >= 0:
            return
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, 0)
        name = os.ttyname(slave)
        os.close(slave)
        fresh = self._link.with_name(self._link.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(name)
        fresh.rename(self._link)

    def unplug(self) -> None:
        """Take the cable away; harmless when it is."""
        if self._master < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            self._link.unlink()
        os.close(self._master)
        self._master = -1

    def is_open(self) -> bool:
        """Whether somebody has the port open."""
        return self._master >= 0 and not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def read(self) -> bytes:
        """What the gateway has sent."""
        try:
            return os.read(self._master, 4096) if self._master >= 0 else b""
        except OSError:  # nothing there (EAGAIN), or nobody has it open (EIO)
            return b""

    def write(self, data: bytes) -> None:
        """Send to the gateway, with the noise that is asked for."""
        if self.rate:
            data = self._damage(data)
        taken = 0
        if self.is_open():
            with contextlib.suppress(BlockingIOError):
                taken = os.write(self._master, data)
        self.dropped += len(data) - taken

    def _damage(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._dice.random() >= self.rate:
                out.append(byte)
                continue
            self.damages += 1
            kind = self._dice.randrange(3)
            if kind == 0:
                out.append(byte ^ (1 << self._dice.randrange(8)))
            elif kind == 1:
                out += bytes((self._dice.randrange(256), byte))
        return bytes(out)
