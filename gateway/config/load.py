"""Load the configuration from a TOML file with the environment on top of it."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from gateway.config.fields import Place, Problem, list_fields, read_table
from gateway.config.lines import find_line, map_lines
from gateway.config.model import GatewayConfig

PREFIX: Final = "MONUOC_GATEWAY_"
"""`MONUOC_GATEWAY_BROKER_HOST` stands for `host` in `[broker]`, `MONUOC_GATEWAY_DATA_DIR` for `data_dir`."""

_SWITCH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        problems: one line each, `file:line: [section] key: what is wrong and how to mend it`, in the file's order.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def check(path: Path | str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Every problem of the file, in words for a technician; empty if the gateway can start with it."""
    try:
        load(path, environ)
    except ConfigError as error:
        return error.problems
    return []


def load(path: Path | str, environ: Mapping[str, str] = os.environ) -> GatewayConfig:
    """The configuration of a file, with what the environment says on top.

    Raises:
        ConfigError: with every problem at once.
    """
    text = _read_text(Path(path))
    table = _parse(Path(path), text)
    problems: list[Problem] = []
    from_environment = _overlay(table, environ, problems)
    config = read_table(GatewayConfig, table, (), problems)
    if config is None or problems:
        lines = map_lines(text)
        problems.sort(key=lambda problem: find_line(lines, problem.place))
        raise ConfigError([_render(Path(path), problem, lines, from_environment) for problem in problems])
    return config


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        words = f"{path}: cannot be read ({error.strerror}); give the file's path with --config"
        raise ConfigError([words]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8"]) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words, _, where = str(error).rpartition(" (at ")
        line = where.split()[1].rstrip(",") if where.startswith("line ") else str(text.count("\n") + 1)
        hint = "it stands there twice" if "overwrite" in words or "twice" in words else "is a quote or bracket missing?"
        raise ConfigError([f"{path}:{line}: this line is no TOML: {words}; {hint}"]) from None


def _overlay(table: dict[str, Any], environ: Mapping[str, str], problems: list[Problem]) -> dict[Place, str]:
    """Write the environment's values into `table`; say which variable gave which place."""
    known = _name_variables()
    given: dict[Place, str] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable not in known:
            problems.append(Problem((), f"environment variable {variable} is not known; unset it or mend its name"))
            continue
        place, kind = known[variable]
        section = table
        for key in place[:-1]:
            section = section.setdefault(key, {})
        if isinstance(section, dict):
            section[place[-1]] = _convert(environ[variable], kind)
            given[place] = variable
    return given


def _name_variables() -> dict[str, tuple[tuple[str, ...], object]]:
    found: dict[str, tuple[tuple[str, ...], object]] = {}
    for key, (name, annotation) in list_fields(GatewayConfig).items():
        section = get_type_hints(GatewayConfig)[name]
        if hasattr(section, "__dataclass_fields__"):
            for inner, (_, kind) in list_fields(section).items():
                found[f"{PREFIX}{key}_{inner}".upper()] = ((key, inner), kind)
        elif key not in {"port", "node"}:
            found[f"{PREFIX}{key}".upper()] = ((key,), annotation)
    return found


def _convert(text: str, kind: object) -> object:
    """The variable's text as the kind of value it stands for; unchanged where it cannot be, so that it is refused."""
    kinds = {kind, *get_args(kind)}
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                return text
    return _SWITCH.get(text.lower(), text) if bool in kinds else text


def _render(path: Path, problem: Problem, lines: dict[Place, int], from_environment: dict[Place, str]) -> str:
    variable = from_environment.get(problem.place)
    if variable is not None:
        return f"environment variable {variable}: {problem.words}"
    if problem.words.startswith("environment variable"):
        return problem.words
    names = [str(key) for key in problem.place if isinstance(key, str)]
    where = f"[{'.'.join(names[:-1])}] {names[-1]}: " if len(names) > 1 else f"{names[0]}: " if names else ""
    return f"{path}:{find_line(lines, problem.place)}: {where}{problem.words}"
