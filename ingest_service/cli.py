"""The command `monuoc`: run the server or one of its processes, load places, look after rejects."""

import argparse
import base64
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingest_service import bootstrap
from ingest_service.config import Settings, SettingsError, load_settings
from ingest_service.services.ports import StoreUnavailableError
from ingest_service.storage.files import CorruptStoreError
from ingest_service.supervise import catch_signals, follow_parent, keep_alive, try_port

_log = logging.getLogger("monuoc")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; the exit status is returned."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        from ingest_service.demo import main as demo

        return int(demo(arguments[1:]) or 0)
    chosen = _parse(arguments)
    try:
        settings = load_settings()
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        command: Callable[[Settings, argparse.Namespace], int] = chosen.command
        return command(settings, chosen)
    except (SettingsError, CorruptStoreError, StoreUnavailableError) as error:
        print(f"monuoc: {error}", file=sys.stderr)
        return 2


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="monuoc", description="Mó Nước, the server. Settings: environment, MONUOC_…")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Settings, argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(command=command)
        return added

    add("run", _run, "everything on one machine: listen, watch, web, and a broker where none is configured")
    add("listen", _listen, "take readings in from the broker")
    add("watch", _watch, "judge the alert rules and send notices")
    add("web", _web, "serve pages and API")
    add("broker", _broker, "the embedded broker by itself, on 127.0.0.1")
    load = add("load-places", _load_places, "show what a places file would change; apply it with --apply")
    load.add_argument("file", type=Path, nargs="?", help="TOML file; without one, the packaged example is printed")
    load.add_argument("--apply", action="store_true", help="make the file's content the truth")
    rejects = add("rejects", _rejects, "list messages that could not be understood, newest first")
    rejects.add_argument("--limit", type=int, default=20, help="how many (default 20)")
    rejects.add_argument("--json", action="store_true", help="one JSON object a line, payload in base64")
    retry = add("retry-rejects", _retry_rejects, "take rejects in again, after the places were mended")
    retry.add_argument("--reason", help="only those kept for this reason")
    commands.add_parser("demo", help="a whole village on this machine (see monuoc demo --help)")
    return parser.parse_args(arguments)


def _listen(settings: Settings, _: argparse.Namespace) -> int:
    stopping = catch_signals()
    stores = bootstrap.open_stores(settings)
    bootstrap.make_listener(settings, stores).run(stopping.is_set)
    stores.close()
    return 0


def _watch(settings: Settings, _: argparse.Namespace) -> int:
    from ingest_service.services.deliver import deliver
    from ingest_service.services.judge import judge
    from ingest_service.text.alerts import render_alert

    stopping = catch_signals()
    stores, now = bootstrap.open_stores(settings), bootstrap.make_clock(settings)
    channels, since_ms = bootstrap.make_channels(settings), now()
    pause_s = max(0.2, min(60.0, 60.0 / settings.clock_factor))
    while not stopping.is_set():
        began_s = time.monotonic()
        try:
            judge(stores.observations, stores.records, now(), listening_since_ms=since_ms)
            register = stores.records.register()
            for channel in channels:
                deliver(stores.records, channel, lambda change: render_alert(change, register, settings.language))  # noqa: B023 - used at once
        except StoreUnavailableError as error:
            _log.warning("cannot judge now: %s", error)
        stopping.wait(max(0.0, pause_s - (time.monotonic() - began_s)))
    stores.close()
    return 0


def _web(settings: Settings, _: argparse.Namespace) -> int:
    import uvicorn

    follow_parent()
    stores = bootstrap.open_stores(settings)
    app = bootstrap.make_web(settings, stores)
    config = uvicorn.Config(app, settings.web_host, settings.web_port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    server.run()
    stores.close()
    return 0


def _broker(settings: Settings, _: argparse.Namespace) -> int:
    from ingest_service.mqtt.embedded_broker import start_broker

    stopping = catch_signals()
    try:
        broker = start_broker(settings.broker_port, settings.data_dir)
    except (OSError, RuntimeError) as error:
        print(f"monuoc: the embedded broker cannot start: {error}; set MONUOC_BROKER_PORT", file=sys.stderr)
        return 2
    while broker.is_running and not stopping.wait(0.2):
        pass
    died = not stopping.is_set()
    broker.stop()
    return 1 if died else 0


def _run(settings: Settings, _: argparse.Namespace) -> int:
    _check_ports(settings)
    stopping = catch_signals()
    stores = bootstrap.open_stores(settings)  # so that a fault of the stores is said once, here
    version = stores.records.register_version()
    stores.close()
    host, port = bootstrap.find_broker(settings)
    kind = f"{host}:{port}" if settings.broker_host else f"{host}:{port} (embedded)"
    print(f"Mó Nước: pages http://{settings.web_host}:{settings.web_port}/   broker {kind}   data {settings.data_dir}")
    if version == 0:
        print("No places are known yet, so all readings become rejects. Next: monuoc load-places FILE --apply")
    print("Ctrl-C ends everything.", flush=True)
    broker = [] if settings.broker_host else ["broker"]
    keep_alive([*broker, *["listen"] * settings.listen_workers, "watch", "web"], stopping)
    return 0


def _check_ports(settings: Settings) -> None:
    """Say now what would else only show as a process that dies over and over."""
    wanted = [("MONUOC_WEB_PORT", settings.web_host, settings.web_port)]
    if not settings.broker_host:
        wanted.append(("MONUOC_BROKER_PORT", *bootstrap.find_broker(settings)))
    if settings.metrics_port:
        wanted.append(("MONUOC_METRICS_PORT", "127.0.0.1", settings.metrics_port))
    faults = [f"  {name}={port}: {host}: {why}" for name, host, port in wanted if (why := try_port(host, port))]
    if faults:
        raise SettingsError("\n".join(["choose another port, or end the program that uses it:", *faults]))


def _load_places(settings: Settings, chosen: argparse.Namespace) -> int:
    from ingest_service.storage.places_changes import describe_changes
    from ingest_service.storage.places_file import EXAMPLE, PlacesError, read_places

    if chosen.file is None:
        print(EXAMPLE.read_text(encoding="utf-8"), end="")
        return 0
    try:
        register = read_places(chosen.file)
    except PlacesError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    stores = bootstrap.open_stores(settings)
    changes = describe_changes(stores.records.register(), register)
    print("\n".join(changes) if changes else "Nothing would change.")
    if changes and (chosen.apply or _agreed()):
        print(f"Applied as version {stores.records.replace_register(register)}.")
    elif changes:
        print("Nothing was changed. With --apply this becomes the truth.")
    stores.close()
    return 0


def _agreed() -> bool:
    return sys.stdin.isatty() and input("Apply? [y/N] ").strip().lower() in {"y", "yes"}


def _rejects(settings: Settings, chosen: argparse.Namespace) -> int:
    stores = bootstrap.open_stores(settings)
    counts = stores.records.count_rejects()
    for number, reject in stores.records.rejects(chosen.limit):
        at = datetime.fromtimestamp(reject.received_ms / 1000, UTC).isoformat(timespec="seconds")
        if chosen.json:
            payload = base64.b64encode(reject.payload).decode()
            row = {"id": number, "received_at": at, "topic": reject.topic, "reason": reject.reason}
            print(json.dumps({**row, "detail": reject.detail, "payload_base64": payload}, ensure_ascii=False))
        else:
            print(f"{number}  {at}  {reject.topic}  {len(reject.payload)} bytes  {reject.reason}: {reject.detail}")
    if not chosen.json:
        print(_tally("kept", counts))
        if dropped := stores.records.count_dropped_rejects():
            print(
                f"{_tally('older ones dropped', dropped)} (room: MONUOC_REJECTS_MAX_BYTES={settings.rejects_max_bytes})"
            )
    stores.close()
    return 0


def _tally(what: str, counts: Mapping[str, int]) -> str:
    by_reason = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f"{sum(counts.values())} {what}{': ' + by_reason if by_reason else ''}"


def _retry_rejects(settings: Settings, chosen: argparse.Namespace) -> int:
    stores = bootstrap.open_stores(settings)
    intake = bootstrap.make_intake(settings, stores)
    kept = stores.records.rejects(limit=sum(stores.records.count_rejects().values()))
    tried = [row for row in reversed(kept) if chosen.reason in {None, row[1].reason}]
    taken = [number for number, reject in tried if intake.retry(reject)]
    stores.records.drop_rejects(taken)
    print(f"{len(taken)} of {len(tried)} taken in; {len(kept) - len(taken)} are still kept")
    stores.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
