"""The demonstration's order of events, and its words for what is wrong; the whole of it is walked elsewhere."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from ingest_service import demo
from ingest_service.demo.parts import PartDiedError, Village
from ingest_service.demo.play import play
from ingest_service.demo.stage import Stage
from ingest_service.demo.story import STORY, Step


class Noted:
    """Stands for village, link and clock: notes what it is told; each look at the clock is 25 minutes later."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.pace = self.village = self.link = self
        self._minute = -25.0

    def minute(self) -> float:
        self._minute += 25
        return self._minute

    def check(self) -> None:
        pass

    def tell(self, command: object) -> None:
        self.done.append(command)

    def cut(self) -> None:
        self.done.append("cut")

    def mend(self) -> None:
        self.done.append("mend")


def played(story: tuple[Step, ...]) -> list[Any]:
    noted = Noted()
    play(cast("Stage", noted), story, lambda _: None, lambda: "well", 500.0)
    return noted.done


def test_each_step_happens_once_in_order() -> None:
    assert played(STORY) == [step.command or step.link for step in STORY]


def test_after_the_story_one_only_looks_on() -> None:
    assert played(()) == []


def test_a_village_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    words = "import sys; print('{\"event\": \"ready\"}', flush=True); sys.exit('the well is dry')"
    village = Village([sys.executable, "-c", words], tmp_path)
    village.start()
    with pytest.raises(PartDiedError, match="ended with status 1"):
        village.wait("never said", 20)
    with pytest.raises(PartDiedError, match="the well is dry"):
        village.check()
    village.stop()


@pytest.mark.parametrize(
    ("words", "said"), [("--for 5", "30 seconds"), ("--factor 0", "1 to 10000"), ("--port 70000", "0 for a free one")]
)
def test_wrong_options_are_refused_with_the_right_ones(
    capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        demo.main(words.split())
    assert said in capsys.readouterr().err
