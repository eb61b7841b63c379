"""The node's program: put the parts together, then run for ever."""

from time import sleep_ms  # type: ignore[attr-defined]  # MicroPython has more in it

from firmware_scripts.board import Pico
from firmware_scripts.node import BAD_SETTINGS, FIRMWARE, Node
from firmware_scripts.settings import Settings
from firmware_scripts.wiring import WiringError, make_probes, read_wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Probe

WINDOW_MS = 3000
"""After power-up Ctrl-C stops the program for this long, then no more."""


def assemble(board: "Pico") -> "Node":
    """A node as `wiring.json` says. With a bad file it still answers, by an id made from the chip's."""
    name, note = "X" + board.unique_id()[-7:], ""
    link: dict[str, object] = {}
    probes: list[Probe] = []
    try:
        wiring = read_wiring()
        name = str(wiring["node"])
        said = wiring.get("link")
        link = said if isinstance(said, dict) else link
        entries = wiring.get("probes")
        probes = make_probes(entries if isinstance(entries, list) else [], board)
    except WiringError as error:
        note = str(error)
    node = Node(name, board, board.open_link(link), probes, Settings(board.sync))
    if note:
        node.note = note
        node.flags |= BAD_SETTINGS
    node.start(board.was_reset_by_watchdog())
    return node


def run() -> None:
    """Never returns. An error ends the program, and the watchdog starts the board again."""
    print("# Mo Nuoc node, firmware %s. Ctrl-C within %d s for the Python prompt." % (FIRMWARE, WINDOW_MS // 1000))
    sleep_ms(WINDOW_MS)
    board = Pico()
    board.keep_running()
    board.start_watchdog()
    node = assemble(board)
    if node.note:
        print("# " + node.note)
    while True:
        board.idle(node.poll())
