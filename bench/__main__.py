"""Run every measurement and print one JSON object: `python -m bench [name ...]`."""

import importlib
import json
import sys

NAMES = ("wire", "spool", "gateway", "listen", "history", "page")


def main(names: list[str]) -> None:
    figures: dict[str, object] = {}
    for name in names or list(NAMES):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures[name] = importlib.import_module(f"bench.{name}").run()
    print(json.dumps(figures, indent=1, sort_keys=True))


main(sys.argv[1:])
