"""The gateway's commands: run, check-config, status, send."""

import argparse
import json
import logging
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from gateway.config import ConfigError, GatewayConfig, load


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    options = _build_parser().parse_args(argv)
    try:
        config = load(options.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return int(options.command(config, options))


def _build_parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, default=Path("/etc/monuoc/gateway.toml"), help="the gateway's TOML file")
    parser = argparse.ArgumentParser("monuoc-gateway", description="Hear the nodes, keep what they say, hand it over.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", parents=[shared], help="run until SIGTERM or Ctrl-C")
    run.set_defaults(command=run_gateway)
    check = commands.add_parser("check-config", parents=[shared], help="say what is wrong with the configuration")
    check.set_defaults(command=check_config)
    status = commands.add_parser("status", parents=[shared], help="ask the running gateway how it is")
    status.add_argument("--json", action="store_true", help="for programs, on one line")
    status.set_defaults(command=print_status)
    send = commands.add_parser("send", parents=[shared], help="ask a node, e.g.: send T01 INT iv=60000")
    send.add_argument("node")
    send.add_argument("verb", help="IDN GET INT ZERO CAL CFG RBT DEF")
    send.add_argument("args", nargs="*", metavar="key=value")
    send.set_defaults(command=send_command)
    return parser


def check_config(config: GatewayConfig, options: argparse.Namespace) -> int:
    """Say that the configuration can be used (else `main` has said why not)."""
    print(f"{options.config}: good; gateway {config.id}, {len(config.ports)} ports, {len(config.nodes)} nodes")
    return 0


def print_status(config: GatewayConfig, options: argparse.Namespace) -> int:
    """Print the heartbeat of the gateway that runs."""
    from gateway.control import ControlError, ask

    try:
        answer = ask(config.data_dir, {"do": "status"})
    except ControlError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=None if options.json else 2))
    return 0


def send_command(config: GatewayConfig, options: argparse.Namespace) -> int:
    """Have the gateway that runs ask a node; print the answer."""
    from gateway.control import ControlError, ask

    pairs = [word.partition("=") for word in options.args]
    if not all(mark for _, mark, _ in pairs):
        print("arguments are written key=value, e.g. iv=60000", file=sys.stderr)
        return 2
    args = {key: int(value) if re.fullmatch(r"-?[0-9]+", value) else value for key, _, value in pairs}
    try:
        answer = ask(config.data_dir, {"do": "send", "node": options.node, "verb": options.verb, "args": args})
    except ControlError as error:
        print(error, file=sys.stderr)
        return 1
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 1
    print(json.dumps(answer.get("fields")))
    return 0


def run_gateway(config: GatewayConfig, _options: argparse.Namespace) -> int:
    """Run until a signal ends it."""
    from gateway.loop import Gateway

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        gateway = Gateway.open(config)
    except sqlite3.Error as error:
        words = "another gateway runs on it" if "locked" in str(error) else "look at the disk and its permissions"
        print(f"cannot open the spool in {config.data_dir} ({error}): {words}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot start: {error}; look at data_dir and the files named in [broker]", file=sys.stderr)
        return 1
    threading.excepthook = gateway.note_fault
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.ask_to_stop())
    try:
        return gateway.run()
    except OSError as error:
        print(f"cannot go on: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
