"""What char-lm can be told about its layers: with all of it, it resumes bit for bit; by default there is none of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.batch import Batch
from unrolled.data.vocabulary import CharacterVocabulary
from unrolled.errors import OptionError
from unrolled.models.language_model import LanguageModel
from unrolled.recipes import char_lm
from unrolled.recipes.char_lm import CharLMOptions
from unrolled.training.events import Interrupted
from unrolled.workshop import session
from unrolled.workshop.options import with_changes
from unrolled.workshop.train import ResumeRequest, TrainRequest, resume, train_events

from .stand_in import options_for
from .test_every_recipe import digest, stopping_after

EVERYTHING = {
    "sizes": (8, 8),
    "connections": "dense",
    "layer_dropout": 0.1,
    "dropout": 0.2,
    "variational": True,
    "recurrent_dropout": 0.2,
    "zoneout": 0.1,
    "weight_drop": 0.3,
    "learnt_initial_state": True,
    "reset": 0.5,
}


def request(folder: Path, name: str, **changes: object) -> TrainRequest:
    plain = {**options_for("char-lm", folder), "steps": 3, "threads": 1, **EVERYTHING, **changes}
    return TrainRequest("char-lm", with_changes(CharLMOptions(), plain), name, runs=str(folder / "runs"))


def test_with_everything_resumed_after_two_equals_three_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(train_events(request(tmp_path, "whole")))
    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(2))
        halted = list(train_events(request(tmp_path, "halted")))
    assert [event.step for event in halted if isinstance(event, Interrupted)] == [2]
    list(resume(ResumeRequest("halted", runs=str(tmp_path / "runs"))))
    assert digest(tmp_path, "halted") == digest(tmp_path, "whole")

    run = unrolled.load(tmp_path / "runs" / "whole")
    stack = run.model.recurrent
    assert stack.connections == "dense" and len(stack.starts) == 2
    start = dict(stack.starts.named_parameters())
    assert all(leaf.any() for leaf in start.values()), "what streams start from has been learnt"
    assert run.sample(length=12, seed=3) == run.sample(length=12, seed=3)
    assert all(0 < value < 20 for value in run.evaluate().values())


def model(**options: object) -> LanguageModel:
    """With weights that are the same for every choice of options that changes none of them."""
    torch.manual_seed(0)
    made = char_lm.model(CharLMOptions(embedding=2, **options), {"vocabulary": CharacterVocabulary("abc").to_assets()})
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_()
    return made


@pytest.mark.parametrize("option", [name for name in EVERYTHING if name not in ("sizes", "dropout", "reset")])
def test_each_flag_reaches_the_model(option: str) -> None:
    symbols = torch.randint(3, (6, 2))
    batch = Batch({"symbols": symbols, "targets": symbols})
    losses = []
    for changes in ({}, {option: EVERYTHING[option]}):
        made = model(sizes=(8, 8), **{"layer_dropout": 0.2} | changes)
        torch.manual_seed(2)
        losses.append(made.loss(batch, made.initial_state(2)).total.item())
    assert losses[0] != losses[1]


def test_by_default_the_model_has_the_weights_that_it_had() -> None:
    made = model(sizes=(4,), cell="lstm")
    assert list(made.state_dict()) == [
        "embedding.weight",
        *(f"recurrent.layers.0.0.{name}" for name in "UWb"),
        "softmax.weight",
        "softmax.bias",
    ]
    noise = made.recurrent.noise
    assert (noise.recurrent_dropout, noise.zoneout, noise.weight_drop, noise.dropout.through_time) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"connections": "residual", "sizes": (8, 4)}, "--sizes .* equal sizes for residual"),
        ({"zoneout": 1.0}, "--zoneout 1.0: expected at least 0 and below 1"),
        ({"weight_drop": -0.1}, "--weight-drop"),
        ({"recurrent_dropout": 1.5}, "--recurrent-dropout"),
    ],
)
def test_a_value_that_cannot_be_is_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        CharLMOptions(**changes)
