"""`unrolled inspect`: each figure of a run and of a cell, where it goes, and what cannot be shown, in one line."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import unrolled
from unrolled.cells import registry
from unrolled.diagnostics.clipping_cliff import clipping_cliff
from unrolled.errors import OptionError
from unrolled.figures import ColouredText, HeatMap, Table, from_json
from unrolled.workshop.actions import ACTIONS

from ..recipes.stand_in import options_for
from .command import Command, one_line

OF_A_RUN = ["ranking", "unit", "units", "surprise", "alternatives", "saliency", "half-life", "saturation"]
OF_BOTH = ["gradient-flow", "jacobian"]


@pytest.mark.parametrize("what", [*OF_A_RUN, *OF_BOTH])
def test_every_figure_of_a_run(command: Command, what: str) -> None:
    command.trained("book", "--cell", "lstm")
    said = command("inspect", what, "book", "--length", 200 if what == "ranking" else 20)
    assert said.code == 0, said.error
    assert len(said.out.splitlines()) > 3


@pytest.mark.parametrize("what", OF_BOTH)
def test_figures_of_a_cell(command: Command, what: str) -> None:
    said = command("inspect", what, "elman", "--length", 5, "--hidden", 4)
    assert said.code == 0, said.error
    lstm = command("inspect", what, "lstm", "--length", 5, "--hidden", 4)
    assert said.out == command("inspect", what, "elman", "--length", 5, "--hidden", 4).out != lstm.out


def test_several_cells_stand_on_one_plot(command: Command) -> None:
    words = shlex.split("inspect gradient-flow elman --beside gru lstm --length 8 --hidden 4 --singular-value 0.5")
    said = command(*words, "--json", "flow.json")
    assert said.code == 0, said.error
    figure = json.loads(Path("flow.json").read_text())
    assert {"elman", "gru", "lstm"} <= {one["name"] for one in figure["series"]}
    assert figure["title"].endswith("0.5")


def test_the_cliff(command: Command) -> None:
    words = shlex.split("inspect cliff --start 5.4 -2.1 --rate 0.05 --norm 0.5 --updates 30 --json cliff.json")
    said = command(*words)
    assert said.code == 0, said.error
    surface, losses = (json.loads(Path(name).read_text()) for name in ("cliff.json", "cliff-2.json"))
    assert [path["name"] for path in surface["paths"]] == ["without clipping", "clipped to norm 0.5"]
    assert [len(series["x"]) for series in losses["series"]] == [30, 30]
    by_command = clipping_cliff((5.4, -2.1), 0.05, 0.5, 30)
    assert from_json(surface) == by_command.surface and from_json(losses) == by_command.losses
    refused = command("inspect", "cliff", "--rate", "0")
    assert refused.code == 2 and "rate and norm are above 0" in one_line(refused)


def test_memory_of_a_cell(command: Command) -> None:
    said = command("inspect", "memory", "gru", "--hidden", 2, "--json", "memory.json")
    assert said.code == 0, said.error
    full, *others = json.loads(Path("memory.json").read_text())["series"]
    assert full["y"][-1] / full["y"][0] == pytest.approx(full["x"][-1] / full["x"][0], rel=0.1)
    (truncated,) = [one for one in others if one["name"].startswith("truncated")]
    assert truncated["y"][0] == truncated["y"][-1]


def test_shortcuts_keep_the_gradient_of_deep_networks_near_one_size(command: Command) -> None:
    said = command("inspect", "depth", "--blocks", 1, 9, "--json", "depth.json")
    assert said.code == 0, said.error
    residual, plain = json.loads(Path("depth.json").read_text())["series"]
    assert residual["x"] == plain["x"] == [8, 56]
    assert residual["y"][1] / residual["y"][0] < 30
    assert plain["y"][1] / plain["y"][0] > 1000
    paths, gradient = json.loads(Path("depth-2.json").read_text())["series"]
    assert paths["y"] == pytest.approx([math.comb(15, k) / 2**15 for k in range(16)])
    mean = [sum(k * share for k, share in enumerate(one["y"])) for one in (paths, gradient)]
    assert mean == [pytest.approx(7.5), pytest.approx(6.68, abs=0.1)]
    one_line(command("inspect", "depth", "--blocks", 0), "--blocks 0", "1 or more")


def test_every_number_of_hello(command: Command) -> None:
    assert command("train", "hello", "--steps", 3, "--threads", 1, "--name", "hello").code == 0
    said = command("inspect", "numbers", "hello", "--json", "numbers.json")
    assert said.code == 0, said.error
    table = from_json(json.loads(Path("numbers.json").read_text()))
    assert isinstance(table, Table)
    assert ("input letter", "h", "e", "l", "l") in table.rows and len(table.rows) == 18
    assert command("inspect", "numbers", "hello", "--text", "hole").out != said.out
    command.trained("book", "--cell", "lstm")
    one_line(command("inspect", "numbers", "book"), "too many numbers", "unrolled train hello")


def test_what_answers_hang_on(command: Command) -> None:
    def trained(recipe: str, *more: object) -> None:
        assert command("train", recipe, "--steps", 1, "--sizes", 4, "--threads", 1, *more).code == 0

    def found(run: str, *more: object) -> HeatMap:
        said = command("inspect", "influence", run, "--json", "influence.json", *more)
        assert said.code == 0, said.error
        figure = from_json(json.loads(Path("influence.json").read_text()))
        assert isinstance(figure, HeatMap) and max(map(max, figure.values)) == 1
        return figure

    trained("adding", "--length", 6)
    assert found("adding").columns == tuple("123456") and len(found("adding").rows) == 1
    assert found("adding", "--example", 500) != found("adding", "--example", 400)
    one_line(command("inspect", "influence", "adding", "--example", 501), "--example 501", "500 sequences")
    trained("who-is-he")
    assert found("who-is-he").rows == ("answer at he",) and "he" in found("who-is-he").columns
    trained("is-it-raining")
    rain = found("is-it-raining")
    assert len(rain.rows) == len(rain.columns) and rain.values[0][1] == 0 < rain.values[1][0]
    command.trained("book", "--cell", "lstm")
    one_line(command("inspect", "influence", "book"), "gives no answers", "saliency")


def test_figures_go_into_files(command: Command) -> None:
    run = command.trained("book", "--cell", "lstm")
    options = {"text": "the cat", "layer": 1, "gate": "cell"}
    said = command(
        "inspect", "units", run, "--text", "the cat", "--gate", "cell",
        "--svg", "a.svg", "--json", "a.json", "--npy", "a.npy",
    )  # fmt: skip
    assert said.code == 0, said.error
    (figure,) = unrolled.load(run).inspect("units", **options)
    assert from_json(json.loads(Path("a.json").read_text())) == figure
    assert isinstance(figure, HeatMap)
    np.testing.assert_array_equal(np.load("a.npy"), np.array(figure.values))
    ElementTree.parse("a.svg")
    for name in ("a.svg", "a.json", "a.npy"):
        assert f"{name}: {figure.title}, as " in said.out


def test_what_has_several_figures_writes_several_files(command: Command) -> None:
    command.trained("book", "--cell", "lstm")
    said = command("inspect", "saliency", "--text", "the cat sat", "--npy", "s.npy")
    assert said.code == 0, said.error
    strength, product, reach = (np.load(name) for name in ("s.npy", "s-2.npy", "s-3.npy"))
    assert strength.shape == product.shape == (11,) and reach.shape[:2] == (1, 2)
    assert np.isnan(strength[-1]) and (strength[:-1] >= 0).all()


def test_json_lines_hold_the_figure(command: Command) -> None:
    run = command.trained("book", "--cell", "lstm")
    (line,) = command("--json", "inspect", "surprise", "book", "--text", "the cat").out.splitlines()
    (figure,) = unrolled.load(run).inspect("surprise", text="the cat")
    assert json.loads(line) == {"event": "figure", "figure": figure.to_json()}


def test_a_unit_is_that_of_its_layer_and_gate(command: Command) -> None:
    run = unrolled.load(command.trained("book", "--cell", "lstm"))
    (text,) = run.inspect("unit", text="the cat", unit=3, gate="forget")
    (every,) = run.inspect("units", text="the cat", gate="forget")
    assert isinstance(text, ColouredText) and isinstance(every, HeatMap)
    assert text.values == every.values[2] and "".join(text.tokens) == "the cat"


def test_where_the_text_comes_from(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = unrolled.load(command.trained("book", "--cell", "lstm"))
    Path("other.txt").write_text("rain fell in spain\nthe cat", encoding="utf-8")

    def words(*more: str) -> str:
        said = command("--json", "inspect", "unit", "book", *more)
        assert said.code == 0, said.error
        return "".join(json.loads(said.out)["figure"]["tokens"])

    assert words("--text", "other.txt", "--length", "9") == "rain fell"
    assert words("--text", "the cat sat on a mat") == "the cat sat on a mat"
    with Path("other.txt").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert words("--text", "-", "--length", "12") == "rain fell in"
    # By default it is of the part to validate on, which neither training nor the test has seen.
    text = Path("book.txt").read_text(encoding="utf-8")
    held_out = text[int(0.8 * len(text)) : int(0.9 * len(text))]
    found = words("--length", "60")
    assert len(found) == 60 and found in held_out
    (table, *_) = run.inspect("ranking", length=250)
    assert isinstance(table, Table) and table.rows


def test_a_second_text_confirms(command: Command) -> None:
    command.trained("book", "--cell", "lstm")
    first, second = (command.text(f"{name}.txt", 900, seed).name for seed, name in enumerate(("one", "two")))
    one = command("inspect", "ranking", "book", "--text", first, "--confirm", second, "--json", "a.json")
    other = command("inspect", "ranking", "book", "--text", first, "--confirm", first, "--json", "b.json")
    assert one.code == other.code == 0, one.error
    rows = [json.loads(Path(name).read_text())["rows"] for name in ("a.json", "b.json")]
    assert all(row[3] == row[4] for row in rows[1]) and any(row[3] != row[4] for row in rows[0])


def test_the_untrained_network_is_the_one_that_training_began_with(command: Command) -> None:
    from unrolled.workshop.looking import Reader

    run = unrolled.load(command.trained("book", "--cell", "lstm"))
    before, again = Reader(run, untrained=True).model, Reader(run, untrained=True).model
    state, trained = before.state_dict(), run.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in again.state_dict().items())
    assert not all(torch.equal(state[name], value) for name, value in trained.items())
    torch.manual_seed(run.options.seed)
    fresh = run.recipe.model(run.options, run.assets).state_dict()
    assert all(torch.equal(state[name], value) for name, value in fresh.items())


def test_the_bundled_model_has_a_unit_that_follows_something_readable() -> None:
    """Found by itself, held on another text, and learnt: what an untrained network follows does not count."""
    table, text = unrolled.load("tiny").inspect("ranking", length=4000)
    assert isinstance(table, Table) and isinstance(text, ColouredText)
    found = [row for row in table.rows if row[2] == "AUC" and row[4] >= 0.9 and row[6] >= 0.1]
    assert any("bracket" in row[0] or "string" in row[0] for row in found)
    assert found[0][0].removeprefix("not ") in text.title


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("", ("ranking", "unit")),
        ("rankin book", ("inspect rankin", "Did you mean 'ranking'")),
        ("book ranking", ("inspect book", "Did you mean `unrolled inspect ranking book`?")),
        ("unit boko", ("boko", "Did you mean 'book'?")),
        ("unit book --unit 17", ("--unit 17", "16 units")),
        ("unit book --unit 0", ("--unit 0", "counted from 1")),
        ("unit book --layer 2", ("--layer 2", "1 layer")),
        ("units book --gate forgot", ("--gate forgot", "Did you mean 'forget'?")),
        ("saturation book --layer 3", ("--layer 3",)),
        ("unit book --length 0", ("--length 0: expected 1 or more",)),
        ("unit book --text 漢", ("漢", "leave it out")),
        ("unit book --text gone.txt", ("gone.txt", "no such file")),
        ("unit book --text empty.txt", ("empty.txt", "empty")),
        ("surprise book --text t", ("2 symbols",)),
        ("saliency book --text cat --symbol 4", ("symbol 4", "from 2 to 3")),
        ("saliency book --text cat --symbol 1", ("symbol 1", "from 2 to 3")),
        ("alternatives book --best 0", ("--best 0",)),
        ("alternatives book --rows -1", ("--rows -1",)),
        ("ranking book --text cat", ("cat", "too little text")),
        ("gradient-flow elmna", ("no run and no cell", "Did you mean 'elman'")),
        ("gradient-flow elman --text cat", ("--text is for a run", "elman")),
        ("gradient-flow book --hidden 3", ("--hidden is for cells", "book")),
        ("gradient-flow book --beside gru", ("--beside is for cells",)),
        ("jacobian nowhere:Cell", ("nowhere:Cell",)),
        ("gradient-flow elman --hidden 0", ("--hidden 0",)),
        ("memory lsmt", ("'lsmt'", "Did you mean 'lstm'")),
        ("unit book --svg away/a.svg", ("away/a.svg",)),
    ],
)
def test_what_cannot_be_shown(command: Command, words: str, parts: tuple[str, ...]) -> None:
    command.trained("book", "--cell", "lstm")
    Path("empty.txt").touch()
    said = command("inspect", *shlex.split(words))
    if not words:
        assert said.code == 0 and all(part in said.out for part in parts)
        return
    one_line(said, *parts)


def test_a_cell_without_the_gate_that_keeps(command: Command) -> None:
    command.trained("plain", "--cell", "elman")
    one_line(command("inspect", "half-life", "plain", "--text", "cat"), "Elman", "LSTM or a GRU")
    one_line(command("inspect", "saturation", "plain", "--text", "cat"), "none does")


@pytest.mark.parametrize("recipe", ["names", "hello", "min-char-rnn"])
def test_recipes_that_hold_out_no_text_want_one(command: Command, recipe: str) -> None:
    options = options_for(recipe, command.folder)
    words = [f"--{name}={options[name]}" for name in ("data", "embedding") if name in options]
    words += ["--sizes", "16"] if "sizes" in options else []
    assert command("train", recipe, *words, "--steps", 2, "--name", "made").code == 0
    one_line(command("inspect", "surprise", "made"), "made", "give one with --text")
    text = {"names": "lana", "hello": "hello", "min-char-rnn": "the cat"}[recipe]
    (coloured,) = unrolled.load("runs/made").inspect("surprise", text=text)
    assert isinstance(coloured, ColouredText) and "".join(coloured.tokens) == text


def test_from_python(command: Command) -> None:
    run = unrolled.load(command.trained("book", "--cell", "lstm"))
    with pytest.raises(OptionError, match=r"inspect rankin: expected .*Did you mean 'ranking'"):
        run.inspect("rankin")
    with pytest.raises(OptionError, match="inspect unit has no units: expected text, length"):
        run.inspect("unit", units=3)
    with pytest.raises(OptionError, match="inspect memory: expected"):
        run.inspect("memory")


@pytest.mark.parametrize("what", OF_BOTH)
def test_every_cell_is_shown_or_refused_in_one_line(command: Command, what: str) -> None:
    for name in registry.built_in():
        said = command("inspect", what, name, "--length", 3, "--hidden", 4)
        assert said.code in (0, 2), (name, said.error)
        if said.code:
            one_line(said, "reads random vectors", "rows, columns")


def test_each_figure_is_tested_here() -> None:
    named = {action.name.split()[1] for action in ACTIONS if action.name.startswith("inspect ")}
    elsewhere = {"reading", "weights"}  # tests/workshop/test_inspect_reading.py and test_bundled.py
    assert named - elsewhere == {*OF_A_RUN, *OF_BOTH, "memory", "depth", "cliff", "numbers", "influence"}


PAGE = Path(__file__).parents[2] / "docs" / "inspect.md"


@pytest.mark.parametrize("line", re.findall(r"^unrolled (inspect .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
def test_every_command_of_the_page_runs(command: Command, line: str) -> None:
    words = shlex.split(line)
    short = ["--length", "500"] if words[1] == "ranking" else ["--length", "8"]
    smaller = {"memory": ["--hidden", "2"], "gradient-flow": short, "jacobian": short, "ranking": short}
    said = command(*words, *smaller.get(words[1], []))
    assert said.code == 0, said.error
