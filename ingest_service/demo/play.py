"""Plays the story against the running stage and says what happens."""

import time
from collections.abc import Callable, Sequence

from ingest_service.demo.stage import Stage
from ingest_service.demo.story import Step

Say = Callable[[str], None]
_TURN_S = 0.05


def play(stage: Stage, story: Sequence[Step], say: Say, glance: Callable[[], str], minutes: float) -> None:
    """Do each step at its minute until `minutes` of the village's clock have passed from now.

    Args:
        stage: all started.
        story: what is still to happen, in order; nothing: only look on.
        story: what happens, in order of time; () only to look on.
        say: takes a line for the person who watches.
        glance: one line on how the village stands.
        minutes: how long to go on, on the village's clock.

    Raises:
        PartDiedError: a program ended by itself.
    """
    begin = stage.pace.minute()
    waiting = list(story)
    next_glance = 20.0
    while (minute := stage.pace.minute() - begin) < minutes:
        stage.check()
        while waiting and waiting[0].minute <= minute:
            step = waiting.pop(0)
            say(f"[{clock(step.minute)}] {step.vi}  ·  {step.en}")
            do(stage, step)
        if minute >= next_glance:
            say(f"[{clock(minute)}]   {glance()}")
            next_glance += 20
        time.sleep(_TURN_S)


def do(stage: Stage, step: Step) -> None:
    """Make one step of the story happen."""
    if step.command is not None:
        stage.village.tell(step.command)
    if step.link == "cut":
        stage.link.cut()
    if step.link == "mend":
        stage.link.mend()


def clock(minute: float) -> str:
    """Hours and minutes since the start, e.g. "03:20"."""
    return f"{int(minute // 60):02d}:{int(minute % 60):02d}"
