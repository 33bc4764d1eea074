"""The contract of a recipe, over all of them: three updates, resumed after two bit for bit, one output."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_type_hints

import pytest

import unrolled
from unrolled.recipes import registry
from unrolled.training.events import Finished, Interrupted
from unrolled.training.settings import Budget
from unrolled.workshop import session
from unrolled.workshop.actions import ACTIONS
from unrolled.workshop.options import from_plain, to_plain, with_changes
from unrolled.workshop.train import ResumeRequest, TrainRequest, resume, train_events

from .stand_in import options_for

RECIPES = sorted(registry.all_recipes())


def request_for(recipe: str, folder: Path, name: str) -> TrainRequest:
    options = with_changes(registry.find(recipe).Options(), {**options_for(recipe, folder), "steps": 3, "threads": 1})
    return TrainRequest(recipe, options, name, runs=str(folder / "runs"))


def digest(folder: Path, name: str) -> str:
    return hashlib.sha256((folder / "runs" / name / "model.safetensors").read_bytes()).hexdigest()


def stopping_after(updates: int) -> Callable[[], object]:
    @contextmanager
    def stop_on_signals() -> Iterator[Callable[[], bool]]:
        asked = 0

        def stop() -> bool:
            nonlocal asked
            asked += 1
            return asked >= updates

        yield stop

    return stop_on_signals


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_run_is_used_by_is_a_command(recipe: str) -> None:
    one = registry.find(recipe)
    verb, _, rest = (one.used_by or "sample RUN").partition(" ")
    assert rest.split()[0] == "RUN" and verb in {action.name for action in ACTIONS}
    assert not (one.used_by and one.writing)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_given_goes_before_what_is_usual(recipe: str) -> None:
    one = registry.find(recipe)
    usual = one.settings(one.Options()).budget
    assert sum(amount is not None for amount in (usual.steps, usual.epochs, usual.minutes)) == 1
    for given in ({"steps": 7}, {"epochs": 1.5}, {"minutes": 2.5}):
        assert one.settings(one.Options(**given)).budget == Budget(**given)
    for number_type in ("float32", "float64", "bfloat16"):
        assert one.settings(one.Options(dtype=number_type)).dtype == number_type


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_option_that_names_a_file_is_found_again_from_another_folder(recipe: str) -> None:
    options = registry.find(recipe).Options
    notes = {
        name: getattr(hint, "__metadata__", ()) for name, hint in get_type_hints(options, include_extras=True).items()
    }
    named = {
        name for name, own in notes.items() if any("PATH" in (getattr(note, "metavar", None) or "") for note in own)
    }
    assert named == set(options.PATHS)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if registry.find(name).target])
def test_a_bar_is_for_the_recipe_s_own_data_alone(recipe: str, tmp_path: Path) -> None:
    one = registry.find(recipe)
    assert all(one.bars(with_changes(one.Options(), {"data": data})) == one.target for data in one.target_data)
    other = options_for(recipe, tmp_path)
    assert bool(one.bars(with_changes(one.Options(), other))) == ("data" not in other)


@pytest.mark.parametrize("recipe", RECIPES)
def test_resumed_after_two_equals_three_in_one_go(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(train_events(request_for(recipe, tmp_path, "whole")))
    assert any(isinstance(event, Finished) and event.step == 3 for event in whole)

    with monkeypatch.context() as patched:
        patched.setattr(session, "stop_on_signals", stopping_after(2))
        halted = list(train_events(request_for(recipe, tmp_path, "halted")))
    assert [event.step for event in halted if isinstance(event, Interrupted)] == [2]
    assert not (tmp_path / "runs" / "halted" / "model.safetensors").exists()
    list(resume(ResumeRequest("halted", runs=str(tmp_path / "runs"))))

    assert digest(tmp_path, "halted") == digest(tmp_path, "whole")
    first, second = (tmp_path / "runs" / name / "events.jsonl" for name in ("whole", "halted"))
    kinds = [[line.split('"')[3] for line in file.read_text().splitlines()] for file in (first, second)]
    assert kinds[0].count("updated") == kinds[1].count("updated") == 3


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_trained_run_opens_and_writes(recipe: str, tmp_path: Path) -> None:
    list(train_events(request_for(recipe, tmp_path, "made")))
    run = unrolled.load(tmp_path / "runs" / "made")
    if registry.find(recipe).writing is not None:
        text = run.sample(length=12, seed=3)
        assert text == run.sample(length=12, seed=3)
        assert isinstance(text, str)
    if run.data.held_out.get("test") is not None:
        figures = run.evaluate()
        assert 0 < next(iter(figures.values())) <= 100
        assert all(0 <= value <= 100 for value in figures.values())
        assert set(registry.find(recipe).target) <= set(figures)


@pytest.mark.parametrize("recipe", RECIPES)
def test_options_come_back_from_plain_data(recipe: str) -> None:
    options = registry.find(recipe).Options()
    assert from_plain(registry.find(recipe), to_plain(options), "here") == options


def test_importing_recipes_imports_no_torch() -> None:
    code = (
        "import sys; from unrolled.recipes import registry; registry.all_recipes(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
