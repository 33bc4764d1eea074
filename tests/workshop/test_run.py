"""A loaded run: its weights as they were, and its verbs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.errors import CheckpointError, OptionError
from unrolled.recipes import registry
from unrolled.workshop import weights
from unrolled.workshop.folder import RunFolder
from unrolled.workshop.options import with_changes
from unrolled.workshop.train import TrainRequest, train_events

from ..recipes.stand_in import options_for


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return train(tmp_path, "made")


def train(folder: Path, name: str, recipe: str = "char-lm", **options: object) -> Path:
    given = {**options_for(recipe, folder), "steps": 3, "threads": 1, **options}
    request = TrainRequest(recipe, with_changes(registry.find(recipe).Options(), given), name, runs=str(folder))
    list(train_events(request))
    return folder / name


def test_the_same_weights_give_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    run = unrolled.load(trained)
    files = [run.save_pretrained(tmp_path / f"saved{number}") / "model.safetensors" for number in range(3)]
    contents = {file.read_bytes() for file in (*files, trained / "model.safetensors")}
    assert len(contents) == 1


def test_weights_are_those_of_the_best_checkpoint(trained: Path) -> None:
    folder = RunFolder(trained)
    final = weights.read_weights(folder)
    (trained / "model.safetensors").unlink()
    saved = weights.read_weights(folder)
    assert final.keys() == saved.keys()
    assert all(torch.equal(final[name], saved[name]) for name in final)


def test_a_run_in_float64_stays_so(tmp_path: Path) -> None:
    folder = train(tmp_path, "wide", dtype="float64")
    run = unrolled.load(folder)
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float64}
    kept = weights.read_weights(RunFolder(folder))
    assert all(torch.equal(tensor, kept[name]) for name, tensor in run.model.state_dict().items())
    assert len(run.sample(length=5)) == 5


def test_loading_leaves_the_callers_random_state(trained: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    unrolled.load(trained).sample(length=3)
    assert torch.equal(torch.rand(3), expected)


def test_weights_that_are_not_finite_are_refused(trained: Path) -> None:
    run = unrolled.load(trained)
    with torch.no_grad():
        next(iter(run.model.parameters())).view(-1)[0] = torch.nan
    weights.write_weights(run.folder, run.model)
    with pytest.raises(CheckpointError, match="NaN"):
        unrolled.load(trained)


def test_what_evaluate_finds_is_the_recipes_metric(trained: Path) -> None:
    run = unrolled.load(trained)
    assert run.evaluate("valid") == run.recipe.metric(run.model, run.data.held_out["valid"])
    assert run.evaluate("valid") != run.evaluate("test")


def test_a_part_that_was_not_held_out(tmp_path: Path) -> None:
    folder = train(tmp_path, "plain", "min-char-rnn")
    with pytest.raises(OptionError, match="holds out nothing"):
        unrolled.load(folder).evaluate()


def test_pieces_are_the_text(trained: Path) -> None:
    run = unrolled.load(trained)
    pieces = list(run.stream("The ", 12, seed=2))
    assert "".join(piece.text for piece in pieces) == run.sample("The ", 12, seed=2)
    assert len(pieces) == 12


def test_names_end_by_themselves(tmp_path: Path) -> None:
    run = unrolled.load(train(tmp_path, "called", "names"))
    drawn = [run.sample(length=60, seed=seed, temperature=1.0) for seed in range(5)]
    assert any(len(name) < 60 for name in drawn) and not any("\n" in name for name in drawn)
    known = json.loads((tmp_path / "called" / "config.json").read_text())["assets"]["vocabulary"]["characters"]
    assert set("".join(drawn)) <= set(known)
