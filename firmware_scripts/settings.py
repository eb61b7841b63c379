"""What commands change and a power cut must not lose: interval, zero points, scales, number of starts.

`config.json` holds one line of JSON and its CRC. It is replaced as a whole (write beside it, sync, rename), at most
once a minute, so that neither a cut nor a talkative gateway can harm the flash.
"""

import json
import os

from firmware_scripts.frame import crc16

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "config.json"
WRITE_GAP_MS = 60_000
INTERVAL_MS = 5000
LEAST_INTERVAL_MS = 200
MOST_INTERVAL_MS = 3_600_000


class Settings:
    """Settings in memory and on flash.

    Attributes:
        interval_ms: time between data frames, 200..3600000.
        zero: the raw reading that means zero, by key.
        scale: (number, denominator) of a calibration, by key.
        boots: starts of this node so far, this one included; it is written with the first change or after a minute.
        reboot_tag: tag of the command RBT that is being obeyed, -1: none.
        corrupt: in this run the file was damaged or could not be written.
    """

    def __init__(self, sync: "Callable[[], None]", path: str = PATH) -> None:
        self._sync = sync
        self._path = path
        self._written_ms = -1
        self._changed = False
        self.corrupt = False
        self.boots = 0
        self.reboot_tag = -1
        self.interval_ms = INTERVAL_MS
        self.zero: dict[str, int] = {}
        self.scale: dict[str, list[int]] = {}

    def load(self) -> int:
        """Read the file and count this start. Without a file, or with a damaged one, the factory's values stay.

        Returns:
            The tag of the command RBT that caused this start, -1 if none did.
        """
        try:
            with open(self._path) as file:
                text = file.read()
        except (OSError, UnicodeError) as error:
            text = ""
            self.corrupt = not isinstance(error, OSError)
        if text:
            self.corrupt = not self._take(text)
        self.boots += 1
        caused_by = self.reboot_tag
        self._changed = caused_by >= 0  # the next start has another cause
        self.reboot_tag = -1
        return caused_by

    def _take(self, text: str) -> bool:
        line, _, crc = text.partition("\n")
        if crc.strip() != "%04X" % crc16(line.encode()):
            return False
        try:
            held = json.loads(line)
            self.boots, self.reboot_tag = int(held["boots"]), int(held["rbt"])
            self.interval_ms, self.zero, self.scale = int(held["iv"]), dict(held["zero"]), dict(held["scale"])
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def crc(self) -> str:
        """Four hexadecimal digits that change when a setting changes: `cf`."""
        words = ["iv=%d" % self.interval_ms]
        words += ["zero.%s=%d" % (key, self.zero[key]) for key in sorted(self.zero)]
        words += ["scale.%s=%d/%d" % (key, self.scale[key][0], self.scale[key][1]) for key in sorted(self.scale)]
        return "%04X" % crc16(";".join(words).encode())

    def changed(self) -> None:
        """Say that a value has been changed; `flush` writes it when the flash may be written."""
        self._changed = True

    def reset(self) -> None:
        """Back to the factory's values; the number of starts stays."""
        self.interval_ms = INTERVAL_MS
        self.zero = {}
        self.scale = {}
        self._changed = True

    def flush(self, up_ms: int) -> None:
        """Write what has changed, unless the last write is less than a minute ago."""
        first = self._written_ms < 0
        if self._changed and (first or up_ms - self._written_ms >= WRITE_GAP_MS):
            self.write(up_ms)
        elif first and up_ms >= WRITE_GAP_MS:  # a node that starts again and again must not wear its flash out
            self.write(up_ms)

    def write(self, up_ms: int) -> None:
        """Write now. A full or broken flash is flagged and tried again after a minute."""
        self._written_ms = up_ms
        held = {
            "iv": self.interval_ms,
            "zero": self.zero,
            "scale": self.scale,
            "boots": self.boots,
            "rbt": self.reboot_tag,
        }
        line = json.dumps(held)
        try:
            with open(self._path + ".new", "w") as file:
                file.write("%s\n%04X\n" % (line, crc16(line.encode())))
                file.flush()
                self._sync()
            os.rename(self._path + ".new", self._path)
            self._sync()
        except OSError:
            self.corrupt = True
            self._changed = True
            return
        self._changed = False
