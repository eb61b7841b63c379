"""The node: its frames, its answers, its clock, its patience."""

import itertools
from pathlib import Path

import pytest

from firmware_scripts.frame import Frame, encode_command
from firmware_scripts.hardware import Pairs, Probe
from firmware_scripts.probes.flow import FlowMeter
from firmware_scripts.probes.pressure import Voltage
from firmware_scripts.probes.ultrasonic import PulseSonar
from firmware_scripts.settings import Settings
from tests.unit.firmware_scripts.bench_board import PERIOD, Bench


def make(tmp_path: Path, probes: list[Probe] | None = None, *, ticks_ms: int = 0, watchdog: bool = False) -> Bench:
    meter = FlowMeter("")
    usual: list[Probe] = [PulseSonar("", lambda: 7300), meter, Voltage("hd", lambda: 20000)]
    bench = Bench(usual if probes is None else probes, Settings(lambda: None, str(tmp_path / "config.json")), ticks_ms)
    bench.node.start(watchdog)
    return bench


def command(verb: str, pairs: Pairs | None = None, tag: int = 7, node: str = "T01") -> bytes:
    return encode_command(node, tag, verb, pairs or [])


def test_it_says_who_it_is_then_what_it_measures(tmp_path: Path) -> None:
    boot, first, second = make(tmp_path).run(6000)
    assert (boot.kind, boot.seq, boot.up_ms) == ("B", 0, 0)
    assert boot.fields == {
        "fw": "1.0.0", "hw": "bench", "ui": "E6614103E7", "rc": "pwr", "bt": 1, "iv": 5000, "cf": "EA3E",
    }  # fmt: skip
    assert (first.kind, first.seq, second.seq) == ("D", 1, 2)
    assert first.fields == {"ds": 1241, "dq": 5, "fp": 0, "hd": 1007, "er": 0, "fl": 0}
    assert second.up_ms - first.up_ms == 5000


def test_the_interval_holds_over_a_day(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.settings.interval_ms = 60_000
    data = [frame.up_ms for frame in bench.run(24 * 3600 * 1000) if frame.kind == "D"]
    assert len(data) == 24 * 60
    assert data[-1] - data[0] == (24 * 60 - 1) * 60_000


def test_uptime_goes_on_across_the_wrap_of_the_ticks(tmp_path: Path) -> None:
    frames = make(tmp_path, ticks_ms=PERIOD - 20_000).run(60_000)
    assert [later.up_ms - sooner.up_ms for sooner, later in itertools.pairwise(frames[1:])] == [5000] * 11
    assert frames[-1].up_ms < 60_000


def test_sequence_wraps(tmp_path: Path) -> None:
    bench = make(tmp_path, [])
    bench.node._seq = 65533
    sequence = [frame.seq for frame in bench.run(30_000)]
    assert 65535 in sequence
    assert all((later - sooner) % 65536 == 1 for sooner, later in itertools.pairwise(sequence))


def answer(frames: list[Frame]) -> tuple[str, dict[str, int | str | None]]:
    (frame,) = frames
    return frame.kind, frame.fields


def test_int(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    assert answer(bench.ask(command("INT", [("iv", 60000)]))) == ("A", {"tg": 7, "vb": "INT", "iv": 60000})
    up_ms = [frame.up_ms for frame in bench.run(600_000)]
    assert up_ms[-1] - up_ms[-2] == 60000
    again = make(tmp_path)
    assert again.run(10)[0].fields["iv"] == 60000


@pytest.mark.parametrize(
    ("verb", "pairs", "code"),
    [
        ("INT", [("iv", 199)], "range"),
        ("INT", [("iv", 3_600_001)], "range"),
        ("INT", [("iv", "fast")], "fmt"),
        ("INT", [("iv", None)], "fmt"),
        ("INT", [], "fmt"),
        ("ZERO", [("ch", "fp")], "arg"),
        ("ZERO", [("ch", "hd2")], "arg"),
        ("ZERO", [], "fmt"),
        ("CAL", [("ch", "er"), ("num", 1), ("den", 1)], "arg"),
        ("CAL", [("ch", "fp"), ("num", 0), ("den", 1)], "range"),
        ("CAL", [("ch", "fp"), ("num", 1)], "fmt"),
        ("CFG", [("ch", "xx")], "arg"),
        ("SING", [], "verb"),
    ],
)
def test_refusals(tmp_path: Path, verb: str, pairs: Pairs, code: str) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    before = bench.settings.crc()
    assert answer(bench.ask(command(verb, pairs))) == ("N", {"tg": 7, "vb": verb, "ec": code})
    assert bench.settings.crc() == before


def test_zero_and_cal_are_kept_and_dumped(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    assert answer(bench.ask(command("ZERO", [("ch", "hd")], 1)))[1] == {"tg": 1, "vb": "ZERO", "ch": "hd", "of": 1007}
    told = answer(bench.ask(command("CAL", [("ch", "fp"), ("num", 1000), ("den", 450)], 2)))[1]
    assert told == {"tg": 2, "vb": "CAL", "ch": "fp", "num": 1000, "den": 450}
    bench.run(61_000)
    for node in (bench, make(tmp_path)):
        node.run(1000)
        kind, general = answer(node.ask(command("CFG", tag=3)))
        assert (kind, general["cf"]) == ("A", node.settings.crc())
        fp = answer(node.ask(command("CFG", [("ch", "fp")], 4)))[1]
        assert (fp["num"], fp["den"], fp["of"]) == (1000, 450, None)
        assert answer(node.ask(command("CFG", [("ch", "hd")], 5)))[1]["of"] == 1007


def test_zero_without_a_reading_is_a_fault_of_the_hardware(tmp_path: Path) -> None:
    bench = make(tmp_path, [PulseSonar("", lambda: -1)])
    bench.run(1000)
    assert answer(bench.ask(command("ZERO", [("ch", "ds")])))[1]["ec"] == "hw"


def test_def_goes_back_to_the_factory(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    bench.ask(command("INT", [("iv", 60000)], 1))
    assert answer(bench.ask(command("DEF", tag=2))) == ("A", {"tg": 2, "vb": "DEF", "iv": 5000, "cf": "EA3E"})


def test_a_repeat_is_answered_but_not_done_twice(tmp_path: Path) -> None:
    volts = [20000]
    bench = make(tmp_path, [Voltage("hd", lambda: volts[0])])
    bench.run(1000)
    first = answer(bench.ask(command("ZERO", [("ch", "hd")])))
    volts[0] = 30000
    bench.run(10_000)
    assert answer(bench.ask(command("ZERO", [("ch", "hd")]))) == first
    assert answer(bench.ask(command("ZERO", [("ch", "hd")], 8)))[1]["of"] == 1510


def test_the_same_tag_with_another_content_is_another_command(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    bench.ask(command("INT", [("iv", 60000)]))
    assert answer(bench.ask(command("INT", [("iv", 30000)])))[1]["iv"] == 30000


def test_a_damaged_command_gets_no_answer_and_is_counted(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    assert bench.ask(command("INT", [("iv", 60000)]).replace(b"60000", b"60001")) == []
    (data,) = bench.run(5000)
    assert data.fields["er"] == 1
    assert bench.settings.interval_ms == 5000


def test_a_command_for_another_node_is_not_obeyed(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    assert bench.ask(command("INT", [("iv", 60000)], node="T02")) == []
    assert answer(bench.ask(command("INT", [("iv", 60000)], node="*")))[1]["ec"] == "arg"


def test_idn_tells_and_blinks(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    (told,) = bench.ask(command("IDN", node="*", tag=18))
    assert (told.kind, told.seq, told.fields["tg"]) == ("B", 2, 18)
    lights = set()
    for _ in range(40):
        bench.run(100)
        lights.add(bench.board.light)
    assert lights == {True, False}
    bench.run(3000)
    assert not bench.board.light


def test_get_measures_now(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.settings.interval_ms = 3_600_000
    bench.run(60_000)
    bench.link.incoming = command("GET", tag=23)
    (data,) = bench.run(500)
    assert (data.kind, data.fields["tg"], data.fields["ds"]) == ("D", 23, 1241)
    assert "tg" not in bench.run(3_700_000)[0].fields


def test_rbt_answers_then_resets_once(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    assert answer(bench.ask(command("RBT", tag=22))) == ("A", {"tg": 22, "vb": "RBT"})
    assert bench.board.resets == 0
    assert answer(bench.ask(command("INT", [("iv", 60000)])))[1]["ec"] == "busy"
    bench.board.now_ms += 100
    bench.node.poll()
    assert bench.board.resets == 1
    again = make(tmp_path, watchdog=True)
    boot = again.run(1000)[0]
    assert (boot.fields["rc"], boot.fields["bt"]) == ("sw", 2)
    assert answer(again.ask(command("RBT", tag=22))) == ("A", {"tg": 22, "vb": "RBT"})
    again.run(10_000)
    assert again.board.resets == 0


def test_a_reset_by_the_watchdog_is_flagged(tmp_path: Path) -> None:
    boot, data = make(tmp_path, watchdog=True).run(1000)
    assert boot.fields["rc"] == "wdt"
    assert data.fields["fl"] == 0x10


def test_damaged_settings_are_flagged(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    _, data = make(tmp_path).run(1000)
    assert data.fields["fl"] == 0x20


def test_people_can_ask_without_a_crc_but_change_nothing(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.node.note = "wiring.json is missing"
    bench.run(1000)
    bench.link.incoming = b"?\r\n"
    bench.node.poll()
    text = bench.link.outgoing.decode()
    assert all(line.startswith("# ") for line in text.splitlines())
    assert "T01" in text
    assert "wiring.json is missing" in text
    assert answer(bench.ask(b"!IDN\r"))[0] == "B"
    bench.link.incoming = b"!GET\r\n"
    assert bench.run(500)[-1].kind == "D"
    assert bench.ask(b"!INT iv=1000\r\nINT\r\n" + b"x" * 5000 + b"\r\n") == []
    assert bench.settings.interval_ms == 5000


def test_a_frame_byte_by_byte_amid_static_is_understood(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.run(1000)
    heard: list[Frame] = []
    for byte in b"\xff\x00$$WM1," + command("INT", [("iv", 60000)]):
        bench.link.incoming = bytes([byte])
        bench.node.poll()
        heard += bench.heard()
    assert answer(heard)[0] == "A"


def test_a_node_with_many_probes_sends_more_than_one_frame(tmp_path: Path) -> None:
    """Each reading stands once, with its echoes, the supply and the flags by which it is judged."""
    probes: list[Probe] = [Voltage(f"hd{n}" if n > 1 else "hd", lambda: 65000) for n in range(1, 10)]
    probes += [PulseSonar(str(n) if n > 1 else "", lambda: 20000) for n in range(1, 10)]
    probes.append(Voltage("vs", lambda: 49650))
    _, *data = make(tmp_path, probes).run(1000)
    assert len(data) > 1
    together = [key for frame in data for key in frame.fields if key not in {"er", "fl", "vs"}]
    assert len(together) == len(set(together)) == 9 + 18
    for frame in data:
        assert {"er", "fl", "vs"} <= frame.fields.keys()
        assert all("dq" + key[2:] in frame.fields for key in frame.fields if key.startswith("ds"))


def test_more_thermometers_than_fit_beside_another_probe_get_frames_of_their_own(tmp_path: Path) -> None:
    probes: list[Probe] = [Voltage(f"vs{n}" if n > 1 else "vs", lambda: 65000) for n in range(1, 10)]
    probes += [Voltage(f"tw{n}" if n > 1 else "tw", lambda: 65000) for n in range(1, 10)]
    probes.append(PulseSonar("", lambda: 20000))
    _, *data = make(tmp_path, probes).run(1000)
    together = [key for frame in data for key in frame.fields if key not in {"er", "fl"}]
    assert len(together) == len(set(together)) == 18 + 2


def test_the_watchdog_is_fed_often_enough_at_the_longest_interval(tmp_path: Path) -> None:
    bench = make(tmp_path, [])
    bench.settings.interval_ms = 3_600_000
    bench.run(10_000)
    before = bench.board.fed
    bench.run(3_600_000)
    assert bench.board.fed - before >= 3600 // 8 * 2


def test_a_probe_slower_than_the_interval_sets_the_pace(tmp_path: Path) -> None:
    bench = make(tmp_path)
    bench.settings.interval_ms = 200
    up_ms = [frame.up_ms for frame in bench.run(60_000) if frame.kind == "D"]
    gaps = {later - sooner for sooner, later in itertools.pairwise(up_ms)}
    assert gaps <= {440, 441, 640}
