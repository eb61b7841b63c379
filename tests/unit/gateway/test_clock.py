from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.clock import EARLIEST_MS, Clock, Earlier, is_synchronised, open_clock, read_boot
from gateway.config import ClockConfig

NOW = EARLIEST_MS + 10_000_000_000


@dataclass
class World:
    """Two clocks and the kernel's word, moved by the test."""

    wall_ms: float = NOW
    mono_ms: float = 5000.0
    synchronised: bool = False

    def clock(self, config: ClockConfig | None = None, earlier: Earlier | None = None) -> Clock:
        return Clock(
            config or ClockConfig(),
            "boot1",
            earlier,
            read_wall_ms=lambda: self.wall_ms,
            read_mono_ms=lambda: self.mono_ms,
            is_synchronised=lambda: self.synchronised,
        )

    def go(self, ms: float) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


def test_without_network_or_fitted_clock_nothing_is_believed() -> None:
    clock = World().clock()
    assert clock.now() == (NOW, 5000, False)
    assert clock.check() is None
    assert clock.state == "unknown"


def test_the_network_brings_belief_and_the_offset_once() -> None:
    world = World()
    clock = world.clock()
    early = clock.now()
    world.wall_ms += 7_200_000
    world.synchronised = True
    offset_ms = clock.check()
    assert offset_ms is not None
    assert early.mono_ms + offset_ms == NOW + 7_200_000
    assert (clock.check(), clock.state, clock.now().believed) == (None, "synced", True)


def test_belief_lasts_without_a_network_until_the_clock_jumps() -> None:
    world = World(synchronised=True)
    clock = world.clock()
    clock.check()
    world.synchronised = False
    world.go(10 * 86_400_000)
    assert clock.now().believed
    world.wall_ms -= 3000
    assert not clock.now().believed
    assert (clock.state, clock.jumps, clock.check()) == ("unknown", 1, None)


def test_a_correction_by_the_network_is_told_and_believed() -> None:
    world = World(synchronised=True)
    clock = world.clock()
    clock.check()
    world.wall_ms -= 60_000
    assert clock.now().believed
    assert clock.check() == NOW - 60_000 - 5000


def test_a_trusted_clock_is_believed_but_not_before_2026_nor_before_what_is_known() -> None:
    trust = ClockConfig(trust=True)
    assert World().clock(trust).state == "trusted"
    assert World(wall_ms=EARLIEST_MS - 1).clock(trust).state == "unknown"
    assert World().clock(trust, Earlier("boot0", NOW + 1, 9)).state == "unknown"
    assert World(synchronised=True).clock(trust, Earlier("boot0", NOW + 1, 9)).state == "unknown"
    world = World(synchronised=True)
    clock = world.clock(trust, Earlier("boot0", NOW + 1, 9))
    clock.check()
    assert clock.state == "synced"  # the network knows better than an earlier battery


def test_a_trusted_clock_that_jumps_has_lied() -> None:
    world = World()
    clock = world.clock(ClockConfig(trust=True))
    assert clock.check() == NOW - 5000
    world.wall_ms += 2001
    assert not clock.now().believed
    world.synchronised = True
    assert clock.check() == NOW + 2001 - 5000
    assert clock.state == "synced"


def test_a_start_in_the_same_boot_carries_the_belief_on_if_nothing_has_jumped() -> None:
    assert World().clock(earlier=Earlier("boot1", NOW - 500, 4500)).now().believed
    assert not World().clock(earlier=Earlier("boot1", NOW - 5000, 4500)).now().believed
    assert not World().clock(earlier=Earlier("boot0", NOW - 500, 4500)).now().believed


def test_slewing_is_no_jump() -> None:
    world = World(synchronised=True)
    clock = world.clock()
    clock.check()
    world.wall_ms += 1999
    assert clock.now().believed
    assert clock.jumps == 0


@given(
    st.floats(0.5, 2000),
    st.integers(0, 10**9),
    st.lists(st.integers(0, 10**7), max_size=20),
)
def test_the_fast_clock_scales_both_times_alike(factor: float, origin_ms: int, steps: list[int]) -> None:
    world = World()
    config = ClockConfig(trust=True, factor=factor, origin_ms=NOW + origin_ms, real_origin_ms=NOW)
    clock = world.clock(config)
    first = clock.now()
    offset_ms = clock.check()
    for step_ms in steps:
        world.go(step_ms)
    last = clock.now()
    assert first.at_ms == NOW + origin_ms
    assert last.at_ms - first.at_ms == pytest.approx(sum(steps) * factor, abs=2)
    assert offset_ms is not None
    assert abs(last.mono_ms + offset_ms - last.at_ms) <= 2
    assert last.believed
    assert clock.boot != "boot1" or config == ClockConfig(trust=True)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-(10**10), 10**10), st.booleans()), max_size=30))
@example([(0, 0, True), (0, -1, True), (0, 2001, False)])
def test_whatever_the_wall_clock_does_an_unsynchronised_jump_is_never_believed(
    moves: list[tuple[int, int, bool]],
) -> None:
    world = World()
    clock = world.clock(ClockConfig(trust=True))
    clock.now()
    true_offset = world.wall_ms - world.mono_ms
    for pass_ms, jump_ms, synchronised in moves:
        world.go(pass_ms)
        world.synchronised = synchronised
        world.wall_ms += jump_ms
        if synchronised:
            true_offset = world.wall_ms - world.mono_ms
            clock.check()
        stamp = clock.now()
        if stamp.believed:
            assert abs(world.wall_ms - world.mono_ms - true_offset) <= 2000


def test_the_machines_own_clock_can_be_read() -> None:
    clock = open_clock(ClockConfig(trust=True))
    first, second = clock.now(), clock.now()
    assert second.mono_ms >= first.mono_ms
    assert clock.boot == read_boot()
    assert is_synchronised() in (True, False)
