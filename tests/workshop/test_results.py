"""Results say what was measured, and nothing of where: by hand, round trip, and edited."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import DataError, RunError
from unrolled.workshop.results import (
    Figure,
    Peer,
    Result,
    command_line,
    from_plain,
    machine_line,
    read_result,
    to_plain,
    write_result,
)

PEER = Peer("nanoGPT, CPU setting", 1.88, "its README")
LOSS = Figure("test loss, state carried", "nats/char", (1.44, 1.45, 1.44), "<= 1.45", (PEER,))
RESULT = Result(
    "recipe",
    "char-lm",
    "unrolled train char-lm --data tinyshakespeare --steps 2150 --seed 0",
    (LOSS, Figure("characters a second", "1/s", (51234.4,))),
    seeds=(0, 1, 2),
    minutes=4.9,
    core_share=0.99,
    commit="0123456789ab",
    date="2026-11-21",
    machine="a machine",
)


def test_mean_and_spread_by_hand() -> None:
    assert LOSS.mean == 1.443  # 4.33 / 3
    assert LOSS.spread == 0.004714  # √(2/9) / 100
    assert Figure("", "", (51234.5, 51235.5)).mean == 51235.0
    assert Figure("", "", (0.0,)).spread == 0.0


@pytest.mark.parametrize(
    ("target", "values", "met"),
    [
        ("<= 1.45", (1.45,), True),
        ("< 1.45", (1.45,), False),
        ("< 1.45", (1.44, 1.455), True),
        ("<= 1.45", (1.4501,), False),
        (">= 1.2", (1.2,), True),
        ("> 1.2", (1.2,), False),
        (">= 1.2", (1.3, 1.0), False),
        ("", (1.0,), None),
    ],
)
def test_the_mean_is_held_against_the_target(target: str, values: tuple[float, ...], met: bool | None) -> None:
    assert Figure("", "", values, target).met is met


def test_rounding_never_makes_a_target_met() -> None:
    figure = Figure("", "", (1.45004,), "<= 1.45")
    assert (figure.mean, figure.met) == (1.45, False)


def test_what_is_no_measurement_is_refused() -> None:
    for values in ((), (float("nan"),), (1.0, float("inf"))):
        with pytest.raises(ValueError, match="one finite value or more"):
            Figure("", "", values)
    for target in ("1.45", "== 1.45", "<= low", "<=1.45"):
        with pytest.raises(ValueError):
            Figure("", "", (1.0,), target)
    with pytest.raises(ValueError, match="recipe, study, suite"):
        Result("benchmark", "start", "", (LOSS,))  # type: ignore[arg-type]


def test_the_file_has_the_form_that_the_docs_quote(tmp_path: Path) -> None:
    file = tmp_path / "results" / "char-lm.toml"
    write_result(file, RESULT)
    assert tomllib.loads(file.read_text()) == {
        "recipe": "char-lm",
        "command": RESULT.command,
        "commit": "0123456789ab",
        "date": "2026-11-21",
        "machine": "a machine",
        "minutes": 4.9,
        "core_share": 0.99,
        "seeds": [0, 1, 2],
        "figures": [
            {
                "name": "test loss, state carried",
                "unit": "nats/char",
                "values": [1.44, 1.45, 1.44],
                "mean": 1.443,
                "spread": 0.004714,
                "target": "<= 1.45",
                "met": True,
                "peers": [{"name": "nanoGPT, CPU setting", "value": 1.88, "source": "its README"}],
            },
            {"name": "characters a second", "unit": "1/s", "values": [51234.4], "mean": 51234.0, "spread": 0.0},
        ],
    }
    assert read_result(file) == RESULT
    assert [path.name for path in file.parent.iterdir()] == ["char-lm.toml"]


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(-1e9, 1e9)
several = st.lists(numbers, min_size=1, max_size=4).map(tuple)
peers = st.lists(st.builds(Peer, words, numbers, words), max_size=2).map(tuple)
targets = st.just("") | st.builds("{} {!r}".format, st.sampled_from(["<", "<=", ">", ">="]), numbers)
figures = st.builds(Figure, words, words, several, targets, peers)
results = st.builds(
    Result,
    kind=st.sampled_from(["recipe", "study", "suite"]),
    name=words,
    command=st.lists(words.filter(lambda word: "/" not in word)).map(command_line),
    figures=st.lists(figures, max_size=3).map(tuple),
    seeds=st.lists(st.integers(0, 2**63 - 1), max_size=3).map(tuple),
    minutes=st.none() | numbers,
    core_share=st.none() | st.floats(0, 1),
    commit=words,
    date=words,
    machine=words,
)


@given(results)
def test_every_result_comes_back(tmp_path_factory: pytest.TempPathFactory, result: Result) -> None:
    file = tmp_path_factory.getbasetemp() / "result.toml"
    write_result(file, result)
    assert read_result(file) == result
    assert from_plain(to_plain(result)) == result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mean = 1.443", "mean = 1.4"),
        ("met = true", "met = false"),
        ("spread = 0.004714", "spread = 0.0"),
        ("1.45,\n", "1.65,\n"),
        ('unit = "nats/char"\n', ""),
        ('recipe = "char-lm"\n', ""),
        ("[[figures]]", "[[figures"),
    ],
)
def test_an_edited_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "char-lm.toml"
    write_result(file, RESULT)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=r"char-lm\.toml"):
        read_result(file)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.toml: cannot be read"):
        read_result(tmp_path / "missing.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_result(tmp_path / "file" / "folder" / "result.toml", RESULT)


def test_a_command_names_no_place() -> None:
    words = ["unrolled", "train", "/home/someone/my book.txt", "--runs=/var/runs", "--seed", "0", "a/b.txt", "1/2"]
    line = command_line(words)
    assert line == "unrolled train 'my book.txt' --runs=runs --seed 0 a/b.txt 1/2"
    Result("suite", "start", line, (LOSS,))
    for word in ("/home/someone/book.txt", "--data=/book.txt", "'/my books/one.txt'"):
        with pytest.raises(ValueError, match="names paths of this machine"):
            Result("suite", "start", f"unrolled train {word}", (LOSS,))


def test_the_machine_is_described_without_saying_whose() -> None:
    line = machine_line()
    assert f"python {platform.python_version()}" in line
    assert "core" in line
    assert "torch 2." in line
    assert str(Path.home()) not in line
    assert platform.node() not in line.split()
