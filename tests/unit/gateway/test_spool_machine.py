"""The outbox against a model, under any sequence of what is done to it."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.spool import Limits, Spool
from tests.unit.gateway.spool_support import BOOT, make_entry

LIMITS = Limits(commit_interval_s=3600, commit_entries=1000)


class Outbox(RuleBasedStateMachine):
    """`durable` is what a power cut must leave; `waiting` what it may take."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "spool.db"
        self.spool = Spool.open(self.path, LIMITS)
        self.number = 0
        self.durable: dict[bytes, bool] = {}
        self.waiting: dict[bytes, bool] = {}
        self.forgotten = 0

    @rule(believed=st.booleans(), count=st.integers(1, 5))
    def append(self, believed: bool, count: int) -> None:
        for _ in range(count):
            entry = make_entry(self.number, believed=believed)
            self.spool.append(entry, {"T01": str(self.number)})
            self.waiting[entry.body] = believed
            self.number += 1

    @rule()
    def commit(self) -> None:
        assert self.spool.commit()
        self.durable |= self.waiting
        self.waiting = {}

    @rule(every=st.integers(1, 4))
    def answer(self, every: int) -> None:
        self.commit()
        stored = self.spool.read_oldest(0, 10**9, ())[::every]
        self.spool.forget([one.id for one in stored])
        self.commit()
        for one in stored:
            del self.durable[one.body]
        self.forgotten += len(stored)

    @rule()
    def restamp(self) -> None:
        self.spool.restamp(BOOT, 1_793_491_200_000)
        self.commit()
        self.durable = dict.fromkeys(self.durable, True)

    @rule()
    def release(self) -> None:
        self.commit()
        self.spool.release(BOOT, 10**15)
        self.commit()
        self.durable = dict.fromkeys(self.durable, True)

    @rule()
    def reopen(self) -> None:
        self.commit()
        self.spool.close()
        self.spool = Spool.open(self.path, LIMITS)

    @invariant()
    def offers_what_is_durable_and_may_go(self) -> None:
        offered = {stored.body for stored in self.spool.read_oldest(0, 10**9, ())}
        assert offered == {body for body, may_go in self.durable.items() if may_go}

    @invariant()
    def counts_are_right(self) -> None:
        counters = self.spool.counters()
        assert counters.committed_frames == self.number - len(self.waiting)
        assert counters.forgotten_frames == self.forgotten
        assert self.spool.depth() == len(self.durable) + len(self.waiting)
        assert self.spool.held == sum(not may_go for may_go in self.durable.values())
        assert self.spool.state() == ({"T01": str(self.number - 1)} if self.number else {})

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
