"""Judge every asset and device by the rules, and write what changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ingest_service.domain.alert import (
    HOUR_MS,
    LATE_MS,
    REMOVED,
    RULES,
    Change,
    Evidence,
    State,
    Verdict,
    look_back_ms,
    rule_of,
    step,
)
from ingest_service.domain.device_alert import judge_return, judge_silence
from ingest_service.domain.gauge import epoch_ms, quantity_of
from ingest_service.domain.level_alert import LevelRules, judge_level
from ingest_service.domain.places import Asset, Register, Tank
from ingest_service.domain.probe_alert import Spread, StuckProbe, judge_range, stuck_instants
from ingest_service.domain.quality import GOOD
from ingest_service.domain.supply import LOOK_BACK_H, estimate_days_left
from ingest_service.services.hearing import EAR, Heard, Hearing, listen_back, node_series
from ingest_service.services.ports import AlertChange, Observations, Points, Records, SeriesKey

CATCH_UP_MS: Final = 24 * HOUR_MS
"""Readings that came this long before the newest are no longer judged."""

_PROBED: Final = ("distance_m", "head_m", "pressure_bar")


def judge(
    observations: Observations, records: Records, now_ms: int, *, listening_since_ms: int = 0
) -> list[AlertChange]:
    """Evaluate all rules up to `now_ms`; changes and working states are written in one transaction.

    Readings that arrived since the last call are judged one by one at their own instants, so how often it is called
    changes nothing but the delay.

    Args:
        observations: history that is judged, by the instants at which it was measured.
        records: register, heartbeats, the states of the last call; takes the changes.
        now_ms: the present instant.
        listening_since_ms: when this server began to listen; silence before it proves nothing.

    Returns:
        The changes that were written, by the instants at which they became true.

    Raises:
        StoreUnavailableError: a store could not serve; nothing was written.
    """
    register = records.register()
    probes, fed = _find_probes(register, now_ms), node_series(register, now_ms)
    book = _Book(records.rule_states(), now_ms)
    keys = {probe.key for probe in probes}.union(*fed.values())
    newest = observations.latest(keys)
    hearing = listen_back(fed, newest, records.heartbeats(), register, remembered=book.states, now_ms=now_ms)
    _close_removed(book, register)
    ear = Heard.from_text(book.states.get(EAR, "")) or Heard(now_ms, listening_since_ms)
    _judge_devices(book, register, hearing, Heard(min(now_ms, ear.last_ms), max(ear.since_ms, listening_since_ms)))
    for probe in probes:
        if (latest := newest.get(probe.key)) is not None:
            newest_ms, interval_ms = min(latest.at_ms, now_ms), hearing.intervals[probe.node]
            _judge_asset(book, observations, probe, interval_ms, newest_ms)
    book.changes.sort(key=lambda change: change.at_ms)
    if book.changes or book.kept:
        records.append_changes(book.changes, book.kept)
    return book.changes


@dataclass(frozen=True, slots=True)
class _Probe:
    """The probe by which an asset is judged; `key` is the series that is read for it."""

    asset: Asset
    node: str
    quantity: str
    key: SeriesKey


@dataclass(slots=True)
class _Book:
    """Working states before and after, and the changes between them."""

    states: Mapping[str, str]
    now_ms: int
    changes: list[AlertChange] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.kept.get(name, self.states.get(name, ""))

    def state(self, rule: str, subject: str) -> State:
        return State.from_text(self.text(f"{rule}@{subject}"))

    def keep(self, name: str, text: str) -> None:
        if text != self.text(name):
            self.kept[name] = text

    def take(
        self,
        rule: str,
        subject: str,
        verdicts: Iterable[Verdict],
        *,
        can_be_late: bool = False,
        quiet: bool = False,
        explain: Callable[[Change], Evidence] = lambda change: change.evidence,
    ) -> None:
        name = f"{rule}@{subject}"
        before = state = self.state(rule, subject)
        for verdict in verdicts:
            late = can_be_late and self.now_ms - verdict.at_ms > LATE_MS
            state, change = step(name, state, verdict, late=late or quiet)
            if change is not None:
                alert_id, what, severity, at_ms, reason, _, quiet = change
                row = AlertChange(alert_id, rule, subject, what, severity, at_ms, self.now_ms, reason, quiet=quiet)
                self.changes.append(replace(row, evidence=explain(change)))
        if state != before:
            self.keep(name, state.to_text())


def _find_probes(register: Register, now_ms: int) -> list[_Probe]:
    """One probe of each asset that has one now: of a tank the one that its level follows from."""
    placed: dict[str, dict[str, str]] = {}
    for one in register.placements:
        quantity = quantity_of(one.channel)
        if quantity in _PROBED and epoch_ms(one.from_at) <= now_ms < epoch_ms(one.to_at):
            placed.setdefault(one.asset, {})[quantity] = one.node
    probes = []
    for key, found in placed.items():
        asset, quantity = register.assets[key], min(found, key=_PROBED.index)
        shown = "fill_pct" if asset.tank is not None and quantity != "pressure_bar" else quantity
        probes.append(_Probe(asset, found[quantity], quantity, SeriesKey(key, shown)))
    return probes


def _close_removed(book: _Book, register: Register) -> None:
    """Clear what is open about assets and devices that are no longer registered; that wakes nobody."""
    known = {*register.assets, *(f"node:{key}" for key in register.nodes)}
    known.update(f"gateway:{node.gateway}" for node in register.nodes.values())
    for name in book.states:
        rule, _, subject = name.partition("@")
        if rule in RULES and subject not in known and (state := book.state(rule, subject)).alert_id is not None:
            over = Verdict(book.now_ms, raises=False, severity=state.severity, reason=REMOVED, evidence={})
            book.take(rule, subject, [over], quiet=True)


def _judge_devices(book: _Book, register: Register, hearing: Hearing, ear: Heard) -> None:
    """Silence of registered gateways while this server could hear; of nodes only while their gateway was heard too."""
    registered = {node.gateway for node in register.nodes.values()}
    for gateway, heard in hearing.gateways.items():
        if gateway not in registered:
            continue
        _judge_device(book, f"gateway:{gateway}", (heard.last_ms, ear.last_ms, hearing.beats[gateway]), ear.since_ms)
        book.keep(f"heard@gateway:{gateway}", heard.to_text())
    unknown = Heard(book.now_ms, 0)
    for key, heard_ms in hearing.nodes.items():
        witness = hearing.gateways.get(register.nodes[key].gateway, unknown)
        silence = (heard_ms, witness.last_ms, hearing.intervals[key])
        _judge_device(book, f"node:{key}", silence, max(ear.since_ms, witness.since_ms))


def _judge_device(book: _Book, subject: str, heard: tuple[int, int, float], since_ms: int) -> None:
    heard_ms, until_ms, interval_ms = heard
    state = book.state("offline", subject)
    if state.alert_id is not None:
        marks, back = judge_return(state, heard_ms, interval_ms)
        book.keep(f"offline@{subject}", replace(state, marks=marks).to_text())
        if back is not None:
            book.take("offline", subject, [back])
            return
    silences = judge_silence(heard_ms, until_ms, interval_ms, since_ms=since_ms)
    if silences and state.alert_id is None:
        book.keep(f"offline@{subject}", replace(state, marks={"heard_ms": heard_ms}).to_text())
    book.take("offline", subject, silences)


def _judge_asset(book: _Book, observations: Observations, probe: _Probe, interval_ms: float, newest_ms: int) -> None:
    """Judge the readings of an asset that came since the last call, up to the newest."""
    asset, seen = probe.asset, f"seen@{probe.asset.key}"
    after_ms = max(int(book.text(seen) or 0), newest_ms - CATCH_UP_MS)
    if newest_ms <= after_ms:
        return
    book.keep(seen, str(newest_ms))
    rules = [rule_of(asset, key) for key in ("range", "tank_low", "tank_empty", "overflow")]
    points = observations.read(probe.key, after_ms - look_back_ms(rules, interval_ms), newest_ms + 1)
    wrong = judge_range(rules[0], points.at_ms, points.qc, after_ms=after_ms, interval_ms=interval_ms)
    book.take("range", asset.key, wrong, can_be_late=True)
    if asset.tank is not None and probe.key.quantity == "fill_pct":
        _judge_tank(book, _Tank(asset, asset.tank, probe, observations, interval_ms), points, after_ms)


@dataclass(frozen=True, slots=True)
class _Tank:
    """A tank with the history behind its rules."""

    asset: Asset
    tank: Tank
    probe: _Probe
    observations: Observations
    interval_ms: float

    def spread(self, quantity: str, from_ms: int, to_ms: int) -> Spread:
        bucket = self.observations.aggregate(SeriesKey(self.asset.key, quantity), from_ms, to_ms, to_ms - from_ms)[0]
        return Spread(bucket.minimum, bucket.maximum, bucket.mean, bucket.samples)

    def may_flow(self, from_ms: int, to_ms: int) -> bool:
        """Whether water may have flowed in; into a tank without a flow meter at its inlet it always may."""
        flow = self.spread("flow_lpm", from_ms, to_ms)
        return flow.greatest is None or flow.greatest > 0

    def tell_days_left(self, change: Change) -> Evidence:
        """What is known of a change, with how long the water lasts where that can be told."""
        fill_pct, to_ms = change.evidence["fill_pct"], change.at_ms + 1
        if change.state == "cleared" or not isinstance(fill_pct, int | float):
            return change.evidence
        key = SeriesKey(self.asset.key, "fill_pct")
        hours = self.observations.aggregate(key, to_ms - LOOK_BACK_H * HOUR_MS, to_ms, HOUR_MS)
        days = estimate_days_left([hour.last for hour in hours], fill_pct)
        return change.evidence if days is None else {**change.evidence, "days_left": round(days, 1)}


def _judge_tank(book: _Book, tank: _Tank, points: Points, after_ms: int) -> None:
    good = {
        at_ms: value
        for at_ms, value, qc in zip(points.at_ms, points.value, points.qc, strict=True)
        if qc == GOOD and value is not None
    }
    at_ms, fill_pct, asset = list(good), list(good.values()), tank.asset
    verdicts: dict[str, list[Verdict]] = {}
    rules = LevelRules.of(asset, tank.tank)
    for key, verdict in judge_level(
        rules, at_ms, fill_pct, after_ms=after_ms, interval_ms=tank.interval_ms, flows=tank.may_flow
    ):
        verdicts.setdefault(key, []).append(verdict)
    book.take("tank_low", asset.key, verdicts.get("tank_low", ()), can_be_late=True, explain=tank.tell_days_left)
    for key in ("tank_empty", "overflow"):
        book.take(key, asset.key, verdicts.get(key, ()), can_be_late=True)
    stuck = StuckProbe(rule_of(asset, "stuck"), tank.tank, tank.probe.quantity, tank.interval_ms, tank.spread)
    for instant in stuck_instants(at_ms, after_ms):
        state = book.state("stuck", asset.key)
        found = stuck.judge(instant, good[instant], state.reason if state.alert_id else "")
        if found is not None:
            book.take("stuck", asset.key, [found], can_be_late=True)
