"""Line protocol: names, values, codes, pieces."""

from hypothesis import given
from hypothesis import strategies as st

from ingest_service.services.ports import Points, SeriesKey
from ingest_service.storage.influx_lines import (
    Label,
    LineWriter,
    build_prefix,
    cut,
    halve,
    pack_qc,
    read_tag,
    unpack,
    write_tag,
)

LEVEL = SeriesKey("be-1", "level_m")


def test_points_are_lines() -> None:
    writer = LineWriter(lambda: labels)
    labels = {"be-1": Label("lung-sau", "tank")}
    run = Points(LEVEL, [1000, 2000, 3000, 4000], [1.25, None, None, 2.0], [1, 9, 3, 9])
    other = Points(SeriesKey("node:g/T 1", "battery_v"), [5000], [3.7], [2])
    tags = "observation,asset=be-1,kind=tank,place=lung-sau,quantity=level_m"
    assert writer.render([run, other]).decode().split("\n") == [
        f"{tags} value=1.25,qc=1i 1000",
        f"{tags} qc=9i 2000",
        f"{tags} qc=93i 3000",
        f"{tags} value=2.0,qc=99i 4000",
        r"observation,asset=node:g/T\ 1,quantity=battery_v value=3.7,qc=2i 5000",
    ]


def test_a_new_register_renews_the_tags() -> None:
    labels = {"be-1": Label("a", "tank")}
    writer = LineWriter(lambda: labels)
    run = Points(LEVEL, [1], [1.0], [1])
    assert b"place=a," in writer.render([run])
    labels = {"be-1": Label("b", "tank")}
    assert b"place=b," in writer.render([run])


@given(st.text())
def test_any_name_survives_as_a_tag(name: str) -> None:
    stored = write_tag(name)
    assert read_tag(stored) == name
    assert not set("\\\n\r\t") & set(stored)


def test_names_are_escaped() -> None:
    assert build_prefix(SeriesKey("a,b=c d\\", "q"), Label("", "")) == r"observation,asset=a\,b\=c\ d%5C,quantity=q "


@given(st.none() | st.floats(allow_nan=False), st.sampled_from([1, 2, 3, 4, 9]), st.floats(0, 1))
def test_the_code_tells_whether_there_is_a_value(value: float | None, qc: int, old: float) -> None:
    stored = pack_qc(value, qc)
    assert unpack(value, stored) == (value, qc)
    if value is None:
        assert unpack(old, stored) == (None, qc)


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 25))
def test_a_batch_is_cut_without_loss_and_in_order(lengths: list[int], most: int) -> None:
    batch = [Points(LEVEL, list(range(n)), [float(k) for k in range(n)], [1] * n) for n in lengths]
    pieces = list(cut(batch, most))
    flat = [(at, value) for run in batch for at, value in zip(run.at_ms, run.value, strict=True)]
    assert [
        (at, value) for piece in pieces for run in piece for at, value in zip(run.at_ms, run.value, strict=True)
    ] == flat
    sizes = [sum(len(run.at_ms) for run in piece) for piece in pieces]
    assert all(size == most for size in sizes[:-1])


def test_halving_ends_at_one_point() -> None:
    run = Points(LEVEL, [1, 2, 3], [1.0, 2.0, 3.0], [1, 1, 1])
    assert halve([run, run]) == ([run], [run])
    first, second = halve([run]) or ([], [])
    assert (first[0].at_ms, second[0].at_ms) == ([1], [2, 3])
    assert halve([Points(LEVEL, [1], [1.0], [1])]) is None
