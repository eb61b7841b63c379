"""Puts an alert change into one sentence that tells a person what is wrong, by how much, since when, what to do."""

from collections.abc import Mapping
from typing import Final

from ingest_service.domain.alert import REMOVED
from ingest_service.domain.catalogue import QUANTITIES
from ingest_service.domain.places import Asset, Contact, Place, Register
from ingest_service.services.ports import AlertChange
from ingest_service.text.sms import sms
from ingest_service.text.words import Language, Words, mark, speak

SMS_NAME_LETTERS: Final = 20
"""Names are cut to this many letters in short messages, so that every one stays one part."""

_KIND_WORDS: Final = ("bể", "lu", "téc", "hồ", "tank", "jar")

_RAISED: Final = {
    "tank_low": mark("%(tank)s at %(fill)s%(litres)s%(days)s. Please save water. %(at)s"),
    "tank_empty": mark("EMPTY: %(tank)s at %(fill)s%(litres)s. Check source, valves, pipe.%(call)s %(at)s"),
    "overflow": mark(
        "%(tank)s overflowing for %(minutes)s min (%(fill)s). Close the inlet or check the float valve. %(at)s"
    ),
    "overflow:rain": mark("%(tank)s full of rain water for %(minutes)s min (%(fill)s). Let the rest run off. %(at)s"),
    "stuck": mark(
        "Level sensor %(tank)s unchanged %(hours)s h although water is flowing. Check probe and cable. %(at)s"
    ),
    "stuck:identical": mark("Level sensor %(tank)s unchanged %(hours)s h. Check probe and cable. %(at)s"),
    "range": mark("Sensor %(tank)s out of range. Readings are being ignored. Technician please check. %(at)s"),
    "offline": mark("%(device)s OFFLINE since %(since)s on %(since_day)s. Data may be old. Check power and signal."),
}

_CLEARED: Final = {
    "tank_low": mark("RESOLVED: %(tank)s has water again, %(fill)s%(litres)s. %(at)s"),
    "tank_empty": mark("RESOLVED: %(tank)s has water again, %(fill)s%(litres)s. %(at)s"),
    "overflow": mark("RESOLVED: %(tank)s no longer overflows, %(fill)s%(litres)s. %(at)s"),
    "stuck": mark("RESOLVED: level sensor %(tank)s moves again. %(at)s"),
    "range": mark("RESOLVED: sensor %(tank)s measures well again. %(at)s"),
    "offline": mark("RESOLVED: %(device)s is back online. %(at)s"),
}

_CLOSED: Final = mark("CLOSED: %(device)s is no longer watched. %(at)s")

_TITLES: Final = {
    "tank_low": mark("Water low"),
    "tank_empty": mark("Empty"),
    "overflow": mark("Overflowing"),
    "stuck": mark("Sensor stuck"),
    "range": mark("Sensor out of range"),
    "offline": mark("Offline"),
}

_SEVERITIES: Final = {
    "info": mark("Information"),
    "warning": mark("Warning"),
    "critical": mark("Critical"),
}


def render_alert(
    change: AlertChange, register: Register, language: Language, *, name_letters: int = 0, phones: bool = True
) -> str:
    """One sentence with number, time and what to do.

    Args:
        change: raised, changed or cleared.
        register: for names and telephone numbers; what is unknown there is called by its key.
        language: of the sentence.
        name_letters: names are cut to so many letters; 0 leaves them whole.
        phones: tell whom to call; False where it would be gathered by machines.
    """
    words = speak(language)
    messages = _CLEARED if change.state == "cleared" else _RAISED
    message = messages.get(f"{change.rule}:{_shade(change, register)}") or messages.get(change.rule)
    if change.reason == REMOVED:
        message = _CLOSED
    values = _values(change, register, words, name_letters)
    if not phones:
        values["call"] = ""
    if message is None:
        return words.say("Alert %(rule)s: %(tank)s. %(at)s", rule=change.rule, **values)
    return _capital(words.say(message, **values))


def _shade(change: AlertChange, register: Register) -> str:
    """What makes one alert of a rule another thing to people: where overflowing rain water is no fault, else why."""
    asset = register.assets.get(change.asset)
    rain = change.rule == "overflow" and asset is not None and asset.tank is not None and asset.tank.source == "rain"
    return "rain" if rain else change.reason


def render_alert_sms(change: AlertChange, register: Register) -> str:
    """The same in Vietnamese without accents, names cut: one part of a short message."""
    return sms(render_alert(change, register, "vi", name_letters=SMS_NAME_LETTERS))


def title_alert(rule: str, language: Language) -> str:
    """Two or three words for a rule; its key if nobody has named it yet."""
    return speak(language).say(_TITLES.get(rule, rule).replace("%", "%%"))


def title_severity(severity: str, language: Language) -> str:
    """One word for how bad it is."""
    return speak(language).say(_SEVERITIES[severity])


def name_subject(subject: str, register: Register, language: Language) -> str:
    """What people call an alert's subject: an asset's name, or a device with its place."""
    words = speak(language)
    asset = register.assets.get(subject)
    return asset.name if asset else _capital(_device(subject, register, words, 0))


_EVIDENCE: Final = {
    "value": mark("Measured"),
    "threshold": mark("Limit"),
    "volume_l": mark("Usable volume"),
    "last_heard_ms": mark("Last heard"),
    "window_from_ms": mark("Looked at"),
    "samples": mark("Readings looked at"),
}


def explain_evidence(change: AlertChange, language: Language) -> list[tuple[str, str]]:
    """The numbers behind a change as (name, value in local form); what has no name for people is left out."""
    words = speak(language)
    numbers = {key: value for key, value in change.evidence.items() if isinstance(value, (int, float))}
    return [(words.say(name), _write(key, numbers, change, words)) for key, name in _EVIDENCE.items() if key in numbers]


def _write(key: str, numbers: Mapping[str, float], change: AlertChange, words: Words) -> str:
    value = numbers[key]
    if key == "window_from_ms":
        end_ms = int(numbers.get("window_to_ms", value))
        return f"{words.stamp(int(value))} – {words.stamp(end_ms)}"
    if key == "last_heard_ms":
        return words.moment(int(value))
    if key in QUANTITIES:
        return words.quantity(key, value)
    unit = str(change.evidence.get("unit") or "") if key in ("value", "threshold") else ""
    if unit == "share":
        return words.percent(value * 100)
    if unit == "min":
        return words.lasting(int(value * 60_000))
    decimals = 0 if float(value).is_integer() else 3 if unit == "m" else 1
    return words.percent(value, decimals) if unit == "%" else f"{words.number(value, decimals)} {unit}".rstrip()


def _values(change: AlertChange, register: Register, words: Words, letters: int) -> dict[str, object]:
    asset = register.assets.get(change.asset)
    place = register.places.get(asset.place) if asset else None
    evidence = change.evidence
    since_ms = _whole(evidence.get("last_heard_ms") or evidence.get("window_from_ms") or change.at_ms)
    return {
        "tank": _tank(asset, change.asset, words, letters),
        "device": _device(change.asset, register, words, letters),
        "fill": words.percent(_fill_pct(evidence)),
        "litres": _litres(evidence, words),
        "days": _days(evidence, words),
        "call": _call(place, words),
        "minutes": words.number(_span_ms(change) / 60_000),
        "hours": words.number(_span_ms(change) / 3_600_000),
        "since": words.clock(since_ms),
        "since_day": words.short_day(since_ms),
        "at": words.stamp(change.at_ms),
    }


def _tank(asset: Asset | None, key: str, words: Words, letters: int) -> str:
    """The kind first, in this language, once: bể Lũng Sâu 1."""
    name = asset.name if asset else key
    first, _, rest = name.partition(" ")
    if first.lower() in _KIND_WORDS and rest:
        kind = first.lower() if words.language == "vi" else "tank"
        return f"{kind} {_cut(rest, letters)}"
    if asset is None or asset.kind != "tank":
        return _cut(name, letters)
    return words.say("tank %(name)s", name=_cut(name, letters))


def _device(subject: str, register: Register, words: Words, letters: int) -> str:
    """A gateway is "trạm Lũng Sâu", a node "bộ đo T01, Lũng Sâu"."""
    kind, _, key = subject.partition(":")
    nodes = [node for node in register.nodes.values() if key in (node.gateway, node.key)]
    place = register.places.get(nodes[0].place) if nodes else None
    if kind == "node":
        name = key.rpartition("/")[2]
        if place is None:
            return words.say("node %(name)s", name=name)
        return words.say("node %(name)s, %(place)s", name=name, place=_cut(place.name, letters))
    if kind == "gateway":
        return words.say("gateway %(name)s", name=_cut(place.name if place else key, letters))
    asset = register.assets.get(subject)
    return _tank(asset, subject, words, letters)


def _fill_pct(evidence: Mapping[str, float | int | str | None]) -> float | None:
    for key in ("fill_pct", "value"):
        number = evidence.get(key)
        if isinstance(number, (int, float)) and (key == "fill_pct" or evidence.get("unit", "%") == "%"):
            return float(number)
    return None


def _litres(evidence: Mapping[str, float | int | str | None], words: Words) -> str:
    litres = evidence.get("volume_l")
    if not isinstance(litres, (int, float)):
        return ""
    return " " + words.say("(%(litres)s L)", litres=words.number(litres))


def _days(evidence: Mapping[str, float | int | str | None], words: Words) -> str:
    days = evidence.get("days_left")
    if not isinstance(days, (int, float)):
        return ""
    if days < 1:
        return words.say(", less than a day left")
    return words.count(", about %(number)s day left", ", about %(number)s days left", int(days))


def _call(place: Place | None, words: Words) -> str:
    contact = find_technician(place)
    return " " + words.say("Call technician %(phone)s.", phone=contact.phone) if contact else ""


def find_technician(place: Place | None) -> Contact | None:
    """The first technician of a place."""
    contacts = place.contacts if place else ()
    return next((contact for contact in contacts if contact.role == "technician"), None)


def _span_ms(change: AlertChange) -> int:
    start = change.evidence.get("window_from_ms")
    end = change.evidence.get("window_to_ms")
    return max(_whole(end or change.at_ms) - _whole(start or change.at_ms), 0)


def _whole(number: float | str) -> int:
    return int(float(number))


def _cut(name: str, letters: int) -> str:
    return name[:letters].rstrip() if letters else name


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
