"""What happens in the demonstration's village, as data: minutes of its own clock and what is done then."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Step(NamedTuple):
    """One event of the story.

    Attributes:
        minute: on the village's clock since the start.
        vi, en: what happens, in words.
        command: for the village; None for the link to the broker.
        link: "cut" or "mend" for the link to the broker, "" otherwise.
    """

    minute: float
    vi: str
    en: str
    command: Mapping[str, object] | None = None
    link: str = ""


MINUTES: Final = 420.0
"""How long the story lasts on the village's clock."""

TANK: Final = "lung-sau-be-1"
"""The tank whose story is told."""

STORY: Final = (
    Step(
        0,
        "Nguồn về bể 1 ngừng chảy, bà con vẫn dùng nước.",
        "The spring to tank 1 stops; people go on drawing water.",
        {"do": "set", "asset": TANK, "inflow_lpm": 0, "outflow_lpm": 12},
    ),
    Step(120, "Nút T02 chết.", "Node T02 dies.", {"do": "kill", "node": "T02"}),
    Step(180, "Nút T02 chạy lại.", "Node T02 starts again.", {"do": "start", "node": "T02"}),
    Step(200, "Rút cáp nút L01.", "The cable of node L01 is pulled.", {"do": "unplug", "node": "L01"}),
    Step(230, "Cắm lại cáp nút L01.", "The cable of node L01 is back.", {"do": "plug", "node": "L01"}),
    Step(
        275,
        "Nguồn về bể 1 chảy lại.",
        "The spring to tank 1 runs again.",
        {"do": "set", "asset": TANK, "inflow_lpm": 40, "outflow_lpm": 5},
    ),
    Step(300, "Mất mạng giữa trạm và máy chủ.", "The link between gateway and server fails.", link="cut"),
    Step(330, "Mạng trở lại.", "The link is back.", link="mend"),
    Step(
        350,
        "Bể 1 đầy lại, dùng bình thường.",
        "Tank 1 is well filled; normal use again.",
        {"do": "set", "asset": TANK, "inflow_lpm": 6, "outflow_lpm": 5},
    ),
)
