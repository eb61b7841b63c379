"""The command `monuoc demo`: a village on this machine, from real node code to pages, at high time factor."""

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from ingest_service import bootstrap
from ingest_service.config import load_settings
from ingest_service.demo import figures
from ingest_service.demo.parts import PartDiedError
from ingest_service.demo.play import play
from ingest_service.demo.stage import NODES, Stage, places_file, prepare
from ingest_service.demo.story import MINUTES, STORY
from ingest_service.services.ports import StoreUnavailableError

_SETTLE_S: Final = 8.0
"""Of a bounded run, kept for what is still under way when the story ends."""


def main(argv: Sequence[str]) -> int:
    """Run the demonstration; the exit status is returned."""
    parser = argparse.ArgumentParser(prog="monuoc demo", description="a whole village on this machine; Ctrl-C ends it")
    parser.add_argument("--for", dest="seconds", type=float, help="end after about so many seconds (at least 30)")
    parser.add_argument("--json", action="store_true", help="say nothing on the way; end with one JSON line")
    parser.add_argument("--factor", type=float, help="how many times faster than the real clock (default 600)")
    parser.add_argument("--port", type=int, default=0, help="port of the pages (default: a free one)")
    parser.add_argument("--folder", type=Path, help="where to keep stores and logs (default: a new one, removed)")
    chosen = parser.parse_args(argv)
    if chosen.seconds is not None and chosen.seconds < 30:
        parser.error("--for: the story needs at least 30 seconds")
    if chosen.factor is not None and not 1 <= chosen.factor <= 10_000:
        parser.error("--factor: 1 to 10000")
    if not 0 <= chosen.port <= 65_535:
        parser.error("--port: 1 to 65535, or 0 for a free one")
    factor = chosen.factor or (600.0 if chosen.seconds is None else MINUTES * 60 / (chosen.seconds - _SETTLE_S))
    stage = prepare(factor, chosen.folder, web_port=chosen.port)
    say = _say_nothing if chosen.json else _say
    kept = chosen.folder is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a closed window ends all parts as well
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(stage, say, endless=chosen.seconds is None, as_json=chosen.json)
    except KeyboardInterrupt:
        say("\nĐã dừng.  ·  Stopped.")
        return 0
    except PartDiedError as error:
        kept = True
        print(f"monuoc demo: {error}", file=sys.stderr)
        return 1
    finally:
        stage.close()
        if kept:
            say(f"stores and logs: {stage.folder}")
        else:
            shutil.rmtree(stage.folder, ignore_errors=True)


def _run(stage: Stage, say: Callable[[str], None], *, endless: bool, as_json: bool) -> int:
    os.environ.update(stage.server_env)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stores = bootstrap.open_stores(load_settings())
    try:
        _raise_curtain(stage, say)
        play(stage, STORY, say, lambda: _glance(stage), MINUTES)
        if endless:
            say(
                "Chuyện đã hết, làng vẫn chạy; Ctrl-C để dừng.  ·  The story is over, the village goes on; Ctrl-C ends."
            )
            play(stage, (), say, lambda: _glance(stage), float("inf"))
        result = _settle(stage, stores, say)
    finally:
        stores.close()
    print(json.dumps(result, ensure_ascii=False) if as_json else _summary(result), flush=True)
    return 0


def _raise_curtain(stage: Stage, say: Callable[[str], None]) -> None:
    """Start everything in order and wait until each part does its work."""
    say("Đang dựng làng Lũng Sâu ...  ·  Setting up the village Lũng Sâu ...")
    load_places(stage)
    stage.server.start()
    _wait(lambda: _answers(stage), stage, 40, "the pages do not answer")
    ready = stage.village.start()
    say(
        f"nodes: {', '.join(ready['nodes'])} on {ready['engine']}; one real second is {stage.pace.factor:.0f} of theirs"
    )
    stage.gateway.start()
    _wait(lambda: _heard(stage) > 0, stage, 40, "the gateway has committed nothing")
    say(f"\n  →  {stage.address}/\n")


def load_places(stage: Stage) -> None:
    """Make the example village the truth of the stage's server."""
    command = [sys.executable, "-m", "ingest_service.cli", "load-places", str(places_file()), "--apply"]
    done = subprocess.run(command, env={**os.environ, **stage.server_env}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartDiedError(f"load-places failed:\n{done.stdout}{done.stderr}")


def _settle(stage: Stage, stores: bootstrap.Stores, say: Callable[[str], None]) -> dict[str, object]:
    """Let what is under way arrive, then count."""
    say("Đang đếm ...  ·  Counting ...")
    for node in NODES:
        stage.village.tell({"do": "kill", "node": node})  # so that the count of written frames is final
    stage.village.tell({"do": "stats"})
    written = stage.village.wait("stats", 10)
    stage.village.stop()
    _wait(lambda: _drained(stage), stage, 60, "the spool does not drain")
    status = gateway_status(stage)
    result = figures.count(stage, stores, written, status)
    stage.check()
    return result


def gateway_status(stage: Stage) -> dict[str, Any]:
    """The gateway's heartbeat as its own command gives it; {} while it does not answer."""
    command = [sys.executable, "-m", "gateway.cli", "status", "--json", "--config", str(stage.gateway_config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _heard(stage: Stage) -> int:
    return int(gateway_status(stage).get("spool", {}).get("committed_readings", 0))


def _drained(stage: Stage) -> bool:
    status = gateway_status(stage)
    return bool(status) and status["spool"]["depth"] == 0


def _answers(stage: Stage) -> bool:
    try:
        return figures.fetch(stage.address + "/readyz")["status"] == 200
    except (urllib.error.URLError, OSError):
        return False


def _wait(ask: Callable[[], bool], stage: Stage, timeout_s: float, otherwise: str) -> None:
    end_s = time.monotonic() + timeout_s
    while not ask():
        stage.check()
        if time.monotonic() > end_s:
            raise PartDiedError(f"{otherwise} after {timeout_s:.0f} s; logs are in {stage.folder}")
        time.sleep(0.1)


def _glance(stage: Stage) -> str:
    try:
        return figures.glance(stage.address)
    except (urllib.error.URLError, OSError, StoreUnavailableError) as error:
        return f"(pages: {error})"


def _summary(result: dict[str, object]) -> str:
    shown = ("frames_sent", "readings_committed", "readings_stored", "lost", "duplicates", "frame_gaps", "rejects")
    return "\n".join(f"{name:>20}: {result[name]}" for name in shown)


def _say(line: str) -> None:
    print(line, flush=True)


def _say_nothing(_: str) -> None:
    return
