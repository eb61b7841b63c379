import os
from pathlib import Path

import pytest

import gateway
from gateway.config import ConfigError, check, load
from gateway.config.lines import find_line, map_lines

VECTORS = Path(__file__).parents[2] / "vectors" / "config"
EXAMPLE = Path(gateway.__file__).with_name("example.toml")


def _write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_loads_and_every_line_in_a_comment_would_too(tmp_path: Path) -> None:
    assert check(EXAMPLE, {}) == []
    config = load(EXAMPLE, {})
    assert config.nodes["T01"].channels["hd"].full_scale_kpa == 50
    bold = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line and ";" not in line.split("#")[1] else line
        for line in EXAMPLE.read_text(encoding="utf-8").splitlines()
        if "table = [[" not in line
    ]
    bold = [line.replace("# [[port]]", "[[port]]") for line in bold]
    assert check(_write(tmp_path, "\n".join(bold)), {}) == []


def test_a_file_with_nothing_but_the_name_takes_the_defaults(tmp_path: Path) -> None:
    config = load(_write(tmp_path, 'id = "a"'), {})
    assert (config.broker.port, config.spool.commit_interval_s, config.ports, config.nodes) == (1883, 5.0, (), {})


def test_all_faults_of_a_file_are_told_at_once_with_line_and_mend() -> None:
    problems = check(VECTORS / "many_faults.toml", {"MONUOC_GATEWAY_HEARTBEAT_INTERVAL_S": "often"})
    told = "\n".join(problems).replace(f"{VECTORS}{os.sep}", "") + "\n"
    golden = VECTORS / "many_faults.txt"
    assert told == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('id = "a"\n[broker\nhost = "x"', ":2: this line is no TOML"),
        ('id = "a"\nid = "b"', ":2: this line is no TOML: Cannot overwrite a value"),
        ("", ':1: "id" is missing; add the line id = ...'),
        ('id = "a"\nport = 3', ":2: port: must be a list"),
        ('id = "a"\nnode = 3', ":2: node: must be sections: [node.NAME]"),
        ('id = "a"\n[node]\nT01 = 3', ":3: [node] T01: must be a section"),
        ('id = "a"\n[broker]\ntls_key = "k"', "belong together"),
        ('id = "a"\n[broker]\npassword_file = "k"', "a password needs a user"),
        ('id = "a"\n[relay]\nwindow = 2\nbacklog_window = 3', ":4: [relay] backlog_window: must not be greater"),
        ('id = "a"\n[relay]\nwindow = 1.5', "must be a whole number, not 1.5"),
        ('id = "a"\n[node.T01.channel.ds]\ntable = [[1, 2]]', "needs at least two points"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, text: str, words: str) -> None:
    (problem,) = check(_write(tmp_path, text), {})
    assert words in problem


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in check(tmp_path / "none.toml", {})[0]
    path = tmp_path / "latin.toml"
    path.write_bytes(b'id = "\xe9"')
    assert "save it as UTF-8" in check(path, {})[0]


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, 'id = "a"\n[broker]\nport = 1\n')
    environ = {
        "MONUOC_GATEWAY_BROKER_PORT": "8883",
        "MONUOC_GATEWAY_BROKER_TLS_CA": "/ca.pem",
        "MONUOC_GATEWAY_CLOCK_TRUST": "true",
        "MONUOC_GATEWAY_CLOCK_FACTOR": "60",
        "MONUOC_GATEWAY_DATA_DIR": "/data",
        "MONUOC_WEB_PORT": "8000",
    }
    config = load(path, environ)
    assert (config.broker.port, config.broker.tls_ca) == (8883, Path("/ca.pem"))
    assert (config.clock.trust, config.clock.factor, config.data_dir) == (True, 60.0, Path("/data"))


def test_a_variable_that_is_wrong_or_unknown_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, 'id = "a"')
    with pytest.raises(ConfigError) as caught:
        load(path, {"MONUOC_GATEWAY_BROKER_PROT": "1", "MONUOC_GATEWAY_SPOOL_MAX_BYTES": "1"})
    assert caught.value.problems == [
        "environment variable MONUOC_GATEWAY_BROKER_PROT is not known; unset it or mend its name",
        "environment variable MONUOC_GATEWAY_SPOOL_MAX_BYTES: must be from 1000000 to 1099511627776, not 1",
    ]


def test_lines_are_found_through_lists_quotes_and_comments() -> None:
    lines = map_lines('a.b = 1\n[x."y z"] # [no]\nt = [\n [1],\n "]",\n]\nu = 2\n[[p]]\n[[p]]\nk = "a # ["\nl = 3\n')
    assert find_line(lines, ("a", "b")) == 1
    assert find_line(lines, ("x", "y z", "t", 0)) == 3
    assert find_line(lines, ("x", "y z", "u")) == 7
    assert (find_line(lines, ("p", 0)), find_line(lines, ("p", 1, "l")), find_line(lines, ("q",))) == (8, 11, 1)


def test_two_channels_of_one_quantity_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        'id = "g"\n[node.T01.channel.hd]\nquantity = "head_m"\nfull_scale_kpa = 50\n'
        '[node.T01.channel.hd2]\nquantity = "head_m"\nfull_scale_kpa = 50\n'
    )
    assert check(path, {}) == [
        f"{path}:2: [node.T01] channel: hd and hd2 are both head_m: number them: head_m, head_m2, head_m3",
    ]
