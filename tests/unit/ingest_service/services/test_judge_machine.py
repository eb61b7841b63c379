"""An alert's life under any sequence of levels, gaps, restarts and cuttings of the calls that judge."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ingest_service.domain.places import Node
from ingest_service.services.ports import AlertChange
from ingest_service.services.record import Arrived
from tests.unit.ingest_service.services.village import MINUTE, TANK, Village, distance_m, make_register

STEP = 5 * MINUTE
LATEST = 55 * MINUTE
"""Judged later than an hour, a change would be quiet; all else would be the same."""

seen: Counter[str] = Counter()

# Thresholds, what lies just at both sides of them, and what is far away.
fills = st.sampled_from([0.0, 5.0, 5.1, 11.9, 12.0, 30.0, 30.1, 34.9, 35.0, 60.0, 95.0, 95.1, 97.9, 98.0, 99.0])


class AlertLife(RuleBasedStateMachine):
    """`steady` is judged at each reading, `cut` whenever it happens; both hear the same."""

    @initialize(fill=fills)
    def begin(self, fill: float) -> None:
        self.folder = tempfile.TemporaryDirectory()
        register = make_register(tank=replace(TANK, max_inflow_lpm=10_000.0, max_outflow_lpm=10_000.0))
        register = replace(register, nodes={"gw/T01": Node("gw", "T01", "lung-sau", STEP / 1000)})
        folders = [Path(self.folder.name) / name for name in ("steady", "cut")]
        for folder in folders:
            folder.mkdir()
        self.steady, self.cut = (Village(folder, register) for folder in folders)
        self.judged_ms = self.cut.now_ms
        self.hear([fill] * 5)

    @rule(fill=fills, count=st.integers(1, 9))
    def stay(self, fill: float, count: int) -> None:
        self.hear([fill] * count)

    @rule(one=fills, other=fills)
    def turn(self, one: float, other: float) -> None:
        self.hear([one] * 10 + [other] * 10)

    @rule(one=fills, other=fills, count=st.integers(1, 5))
    def flap(self, one: float, other: float, count: int) -> None:
        self.hear([one, other] * count)

    @rule(count=st.integers(1, 9))
    def fail(self, count: int) -> None:
        self.hear([None] * count)

    @rule(count=st.integers(1, 9))
    def stay_silent(self, count: int) -> None:
        for _ in range(count):
            self.let_pass()
            self.steady.judge()

    @rule()
    def judge_both(self) -> None:
        self.judge_cut()
        assert rows(self.cut) == rows(self.steady)
        assert [change for change in self.cut.judge() + self.steady.judge() if change.rule != "offline"] == []

    @rule()
    def restart(self) -> None:
        self.cut.close()
        self.cut = Village(self.cut.folder, self.cut.register, self.cut.now_ms)

    @invariant()
    def each_is_raised_then_cleared(self) -> None:
        for village in (self.steady, self.cut):
            check_lives(village)

    def hear(self, readings: list[float | None]) -> None:
        for fill in readings:
            self.let_pass()
            value, qc = (None, 9) if fill is None else (distance_m(fill), 2)
            for village in (self.steady, self.cut):
                village.receive(Arrived("gw/T01", "distance_m", [village.now_ms], [value], [qc]))
            self.steady.judge()

    def let_pass(self) -> None:
        if self.cut.now_ms + STEP - self.judged_ms > LATEST:
            self.judge_cut()
        self.steady.now_ms = self.cut.now_ms = self.cut.now_ms + STEP

    def judge_cut(self) -> None:
        self.cut.judge()
        self.judged_ms = self.cut.now_ms

    def teardown(self) -> None:
        self.judge_both()
        seen.update(f"{change.rule} {change.state}" for change in self.steady.records.changes())
        self.steady.close()
        self.cut.close()
        self.folder.cleanup()


def rows(village: Village) -> list[AlertChange]:
    """What was written about the water, by event; silence is a matter of when one looks."""
    about_water = [change for change in village.records.changes() if change.rule != "offline"]
    return sorted((replace(change, decided_ms=0) for change in about_water), key=lambda row: (row.at_ms, row.alert_id))


def check_lives(village: Village) -> None:
    """Raised, perhaps changed, cleared; never twice in a row, never the same alert again."""
    opened: dict[str, AlertChange] = {}
    ids = set()
    for change in reversed(village.records.changes()):
        before = opened.pop(change.rule, None)
        if change.state == "raised":
            assert before is None, f"raised while it was open: {change}"
            assert change.alert_id not in ids
            ids.add(change.alert_id)
        else:
            assert before is not None, f"{change.state} without a raise: {change}"
            assert before.alert_id == change.alert_id
        if change.state != "cleared":
            opened[change.rule] = change
    assert {alert.latest.alert_id for alert in village.records.open_alerts()} == {
        change.alert_id for change in opened.values()
    }


def test_any_life_of_an_alert() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        AlertLife,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, phases=[Phase.reuse, Phase.generate]
        ),  # not shrunk: that would take longer than a test may
    )
    reached = {f"{rule} {state}" for rule in ("tank_low", "tank_empty", "overflow") for state in ("raised", "cleared")}
    assert seen.keys() >= reached
