"""The command `monuoc` as a person meets it: whole server, places file, words for what is wrong."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ingest_service import bootstrap, cli
from ingest_service.config import load_settings
from ingest_service.services.ports import Reject
from ingest_service.storage.places_file import EXAMPLE
from tests.support.broker import free_port
from tests.support.wait import until


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("MONUOC_")]:
        monkeypatch.delenv(name)
    settings = {
        "MONUOC_DATA_DIR": str(tmp_path / "data"),
        "MONUOC_BROKER_PORT": str(free_port()),
        "MONUOC_WEB_PORT": str(free_port()),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


def answers(port: str, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def children(pid: int) -> dict[str, int]:
    """Process id by command of the processes that `run` has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = {}
    for child in listed:
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        found[words[3].decode() if len(words) > 3 else ""] = int(child)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_run_keeps_everything_alive_and_ends_everything(environment: dict[str, str]) -> None:
    assert cli.main(["load-places", str(EXAMPLE), "--apply"]) == 0
    command = [sys.executable, "-m", "ingest_service.cli", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert f"http://127.0.0.1:{environment['MONUOC_WEB_PORT']}/" in run.stdout.readline().decode()
        until(lambda: answers(environment["MONUOC_WEB_PORT"], "/healthz"), 30, "for the pages")
        first = until(lambda: len(found := children(run.pid)) == 4 and found)
        assert set(first) == {"broker", "listen", "watch", "web"}
        os.kill(first["watch"], signal.SIGKILL)
        until(lambda: children(run.pid).get("watch") not in {None, first["watch"]}, 20, "for watch to come again")
        last = children(run.pid)
        run.terminate()
        assert run.wait(20) == 0
        run.communicate()
        assert not [pid for pid in last.values() if Path(f"/proc/{pid}").exists()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_nothing_outlives_a_killed_run(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "ingest_service.cli", "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        until(lambda: answers(environment["MONUOC_WEB_PORT"], "/healthz"), 30, "for the pages")
        left = children(run.pid)
        run.kill()
        run.wait()
    until(lambda: not any(_runs(pid) for pid in left.values()), 20, "for all to end")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_load_places_says_first_what_it_would_change(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["load-places", str(EXAMPLE)]) == 0
    said = capsys.readouterr().out
    assert "+ asset lung-sau-be-1" in said
    assert "Nothing was changed. With --apply" in said
    assert cli.main(["load-places", str(EXAMPLE), "--apply"]) == 0
    assert "Applied as version 1." in capsys.readouterr().out
    assert cli.main(["load-places", str(EXAMPLE), "--apply"]) == 0
    assert capsys.readouterr().out == "Nothing would change.\n"
    changed = tmp_path / "places.toml"
    words = EXAMPLE.read_text().replace("outlet_m = 0.10", "outlet_m = 0.15", 1).replace('id = "L01"', 'id = "L02"')
    changed.write_text(words.replace('"lung-sau/L01"', '"lung-sau/L02"'))
    assert cli.main(["load-places", str(changed)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "~ asset lung-sau-be-1: tank.outlet_m 0.1 -> 0.15" in lines
    assert "- node lung-sau/L01 (its history stays)" in lines
    assert "+ node lung-sau/L02" in lines


def test_a_wrong_places_file_is_refused_with_every_line(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = tmp_path / "places.toml"
    broken.write_text(EXAMPLE.read_text().replace("people = 180", 'people = "many"'))
    assert cli.main(["load-places", str(broken), "--apply"]) == 1
    assert f"{broken}:10: people = 'many' must be a whole number" in capsys.readouterr().err


def test_load_places_without_a_file_prints_the_example(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["load-places"]) == 0
    assert capsys.readouterr().out == EXAMPLE.read_text()


def test_wrong_settings_are_named_all_at_once(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONUOC_WEB_PORT", "99999")
    monkeypatch.setenv("MONUOC_LANGUAGE", "fr")
    monkeypatch.setenv("MONUOC_BROKER_PASSWORD_FILE", "/nowhere/secret")
    assert cli.main(["rejects"]) == 2
    said = capsys.readouterr().err
    assert "MONUOC_WEB_PORT='99999'" in said
    assert "MONUOC_LANGUAGE='fr'" in said
    assert "there is no file /nowhere/secret" in said


def test_influx_as_history_needs_its_address_and_has_to_answer(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONUOC_HISTORY", "influx")
    assert cli.main(["rejects"]) == 2
    assert "MONUOC_HISTORY=influx needs MONUOC_INFLUX_URL" in capsys.readouterr().err
    monkeypatch.setenv("MONUOC_INFLUX_URL", "http://127.0.0.1:9")
    assert cli.main(["rejects"]) == 2
    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_a_store_that_is_no_database_is_named_with_the_mend(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(environment["MONUOC_DATA_DIR"])
    data.mkdir()
    (data / "records.sqlite3").write_bytes(b"this is no database at all" * 100)
    assert cli.main(["rejects"]) == 2
    said = capsys.readouterr().err
    assert str(data / "records.sqlite3") in said
    assert "put the last backup in their place" in said


def test_rejects_dropped_for_room_are_told(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONUOC_REJECTS_MAX_BYTES", "2000000")
    stores = bootstrap.open_stores(load_settings())
    stores.records.keep_rejects([Reject(n, "t", bytes(900_000), "not_json") for n in range(5)])
    stores.close()
    assert cli.main(["rejects"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "2 kept: 2 not_json",
        "3 older ones dropped: 3 not_json (room: MONUOC_REJECTS_MAX_BYTES=2000000)",
    ]


def test_run_names_every_port_that_it_cannot_have(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    with socket.socket() as web, socket.socket() as broker:
        for taken, name in ((web, "MONUOC_WEB_PORT"), (broker, "MONUOC_BROKER_PORT")):
            taken.bind(("127.0.0.1", int(environment[name])))
            taken.listen()
        assert cli.main(["run"]) == 2
    said = capsys.readouterr()
    assert f"MONUOC_WEB_PORT={environment['MONUOC_WEB_PORT']}: 127.0.0.1: Address already in use" in said.err
    assert f"MONUOC_BROKER_PORT={environment['MONUOC_BROKER_PORT']}: 127.0.0.1: Address already in use" in said.err
    assert "http://" not in said.out


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("MONUOC_DATA_DIR", "/dev/null/monuoc", "name a folder that this user may write"),
        ("MONUOC_RECORDS_URL", "records.sqlite3", "postgresql+psycopg://"),
    ],
)
def test_a_store_that_cannot_be_is_named_with_the_mend(
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    mend: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["rejects"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert mend in said


def test_a_taken_broker_port_is_named(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["MONUOC_BROKER_PORT"])))
        taken.listen()
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        assert cli.main(["broker"]) == 2
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert "set MONUOC_BROKER_PORT" in capsys.readouterr().err


def test_a_demonstrations_clock_runs_faster() -> None:
    from ingest_service.bootstrap import make_clock
    from ingest_service.config import Settings

    real_ms = round(time.time() * 1000)
    now = make_clock(Settings(clock_factor=1000, clock_origin_ms=5_000_000, clock_real_origin_ms=real_ms - 1000))
    assert 5_999_000 <= now() < 9_000_000
    assert abs(make_clock(Settings())() - time.time() * 1000) < 5000
