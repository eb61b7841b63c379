"""Whatever happens to frames, nodes and the gateway: no water is lost and every missing frame is counted."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.collect.pulses import COUNT_MODULUS
from tests.unit.gateway.collect_support import Rig, frame, rig

PULSES_PER_LITRE = 450
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(0, 3000)),
        st.tuples(st.just("lost"), st.integers(0, 3000)),
        st.tuples(st.just("repeat"), st.just(0)),
        st.tuples(st.just("reboot"), st.booleans()),
        st.tuples(st.just("identify"), st.just(0)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("kill"), st.just(0)),
    ),
    max_size=40,
)


@dataclass
class Truth:
    """A node, and what its heard frames say."""

    seq: int
    up_ms: int
    count: int
    boots: int = 1
    reported: int = 0
    last_told: int = 0
    heard: int = 0
    lost: int = 0
    in_gap: int = 0
    last: list[tuple[str, int, int, dict[str, int | str | None]]] = field(default_factory=list)

    def send(self, kind: str, fields: dict[str, int | str | None]) -> tuple[str, int, int, dict[str, int | str | None]]:
        made = (kind, self.seq % 65536, self.up_ms % 2**32, fields)
        self.seq += 1
        return made


def _deliver(node: Rig, truth: Truth, made: tuple[str, int, int, dict[str, int | str | None]], after_ms: int) -> None:
    truth.lost += truth.in_gap
    truth.in_gap = 0
    truth.heard += 1
    truth.last = [made]
    kind, seq, up_ms, fields = made
    node.hear(frame(kind, seq, up_ms, **fields), after_ms)


def _step(node: Rig, truth: Truth, what: str, number: int) -> None:
    if what in ("frame", "lost"):
        truth.up_ms += 10_000
        truth.count += number
        made = truth.send("D", {"fp": truth.count % COUNT_MODULUS})
        if what == "lost":
            truth.in_gap += 1
            node.at_ms += 10_000
            return
        truth.reported += truth.count - truth.last_told
        truth.last_told = truth.count
        _deliver(node, truth, made, 10_000)
    elif what == "repeat" and truth.last:
        kind, seq, up_ms, fields = truth.last[0]
        node.hear(frame(kind, seq, up_ms, **fields), 5)
    elif what == "reboot":
        _reboot(node, truth, heard=bool(number))
    elif what == "identify":
        truth.up_ms += 50
        _deliver(node, truth, truth.send("B", {"bt": truth.boots, "tg": 7}), 50)
    elif what == "commit":
        node.spool.commit()


def _reboot(node: Rig, truth: Truth, *, heard: bool) -> None:
    truth.boots += 1
    truth.seq, truth.up_ms, truth.count, truth.last_told, truth.in_gap = 0, 12, 0, 0, 0
    made = truth.send("B", {"bt": truth.boots, "iv": 10_000})
    if heard:
        _deliver(node, truth, made, 1000)
    else:
        truth.in_gap = 1  # the port was closed then; when it is opened again it asks who is there
        truth.up_ms += 3000
        _deliver(node, truth, truth.send("B", {"bt": truth.boots, "tg": 9}), 4000)


@settings(max_examples=60, deadline=None)
@given(
    STEPS,
    st.sampled_from(
        [
            (0, 12, 0),
            (65_500, 2**32 - 25_000, 0),
            (65_530, 2**32 - 1, COUNT_MODULUS - 1),
            (9, 2**31, COUNT_MODULUS - 4000),
        ]
    ),
)
def test_the_total_is_what_the_heard_frames_say_and_gaps_are_the_frames_not_heard(
    steps: list[tuple[str, int]], begin: tuple[int, int, int]
) -> None:
    seq, up_ms, count = begin
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder) / "spool.db") as node:
        truth = Truth(seq, up_ms, count, last_told=count)
        _deliver(node, truth, truth.send("B", {"bt": 1}), 10)
        _deliver(node, truth, truth.send("D", {"fp": count}), 10)
        before_l = node.total_l()
        for what, number in steps:
            if what == "kill":
                if truth.last[0][0] == "D":  # what only a B frame showed is saved with the next record
                    node.spool.commit()
                    node.kill()
            else:
                _step(node, truth, what, int(number))
        truth.up_ms += 10_000
        truth.count += 100
        truth.reported += truth.count - truth.last_told
        _deliver(node, truth, truth.send("D", {"fp": truth.count % COUNT_MODULUS}), 10_000)
        counters = node.collector.nodes()["T01"]
        assert node.total_l() - before_l == pytest.approx(truth.reported / PULSES_PER_LITRE, abs=0.002)
        assert (counters.frames, counters.gaps, counters.reboots) == (truth.heard, truth.lost, truth.boots - 1)
        assert counters.refused_pulses == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["go", "kill", "commit"])), max_size=40))
def test_frames_that_fall_into_a_kill_are_gaps_and_their_water_comes_with_the_next(
    steps: list[tuple[int, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder) / "spool.db") as node:
        truth = Truth(0, 12, 0)
        _deliver(node, truth, truth.send("D", {"fp": 0}), 10)
        node.spool.commit()
        sent = 1
        for pulses, what in steps:
            _step(node, truth, "frame", pulses)
            sent += 1
            if what == "commit":
                node.spool.commit()
            elif what == "kill":
                node.kill()
        _step(node, truth, "frame", 0)
        sent += 1
        counters = node.collector.nodes()["T01"]
        assert node.total_l() == pytest.approx(truth.count / PULSES_PER_LITRE, abs=0.002)
        assert counters.frames + counters.gaps == sent
