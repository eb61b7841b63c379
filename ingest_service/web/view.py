"""Turns what a report says into what a page shows: one word, one shape, one line for each state."""

from typing import Final

from ingest_service.domain.alert import RULES, is_dry_season
from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.domain.places import Asset, Contact
from ingest_service.services.report import AssetState
from ingest_service.text.alerts import explain_evidence, name_subject, render_alert, title_alert, title_severity
from ingest_service.text.words import Words, mark

MARKS: Final = {
    "ok": ("good", mark("Normal")),
    "tank_low": ("low", mark("Water low")),
    "tank_empty": ("empty", mark("Empty")),
    "overflow": ("over", mark("Overflowing")),
    "stuck": ("fault", mark("Sensor stuck")),
    "range": ("fault", mark("Sensor out of range")),
    "offline": ("silent", mark("Offline")),
    "no_data": ("silent", mark("No figures yet")),
}
"""Condition -> (shape and colour, word)."""


def look(condition: str) -> str:
    """Name of the shape and colour of a condition."""
    return MARKS.get(condition, ("fault", ""))[0]


def word(condition: str, words: Words) -> str:
    """The word of a condition; its key if nobody has named it yet."""
    return words.say(MARKS[condition][1]) if condition in MARKS else condition


def find_low_limit(asset: Asset, now_ms: int) -> float:
    """Fill in percent at which `tank_low` is raised at this season."""
    limits = RULES["tank_low"].with_overrides(asset.thresholds.get("tank_low", {})).limits
    return limits["dry_raise_at"] if is_dry_season(now_ms) else limits["raise_at"]


def advice_key(state: AssetState) -> str:
    """Which advice fits: an overflow of rain water is no fault."""
    tank = state.asset.tank
    if state.condition == "overflow" and tank is not None and tank.source == "rain":
        return "overflow_rain"
    return state.condition


_ROLES: Final = {
    "group": mark("Water user group"),
    "technician": mark("Technician"),
    "manager": mark("Project manager"),
}


def name_role(contact: Contact, words: Words) -> str:
    """What somebody to call is."""
    return words.say(_ROLES[contact.role])


def count_decimals(quantity: str) -> int:
    """Digits behind the comma of a catalogue quantity."""
    return QUANTITIES[quantity].decimals


WORDS_OF_VIEW: Final[dict[str, object]] = {
    "look": look,
    "word": word,
    "role": name_role,
    "decimals": count_decimals,
    "sentence": render_alert,
    "title": title_alert,
    "severity": title_severity,
    "subject": name_subject,
    "evidence": explain_evidence,
}
"""What templates may call."""
