"""On an accelerator a cell gives what it gives on the CPU, a recipe trains, and its run opens where there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import unrolled
from unrolled import states
from unrolled.cells import registry as cells
from unrolled.cells.cell import Cell
from unrolled.contracts.kernel import cases, measure
from unrolled.contracts.subject import distance, usual
from unrolled.kernels import choose, fused
from unrolled.kernels.kernel import Pass
from unrolled.kernels.reference import Reference
from unrolled.recipes import registry as recipes
from unrolled.states import State
from unrolled.training.events import Finished, Updated
from unrolled.workshop.options import with_changes
from unrolled.workshop.train import TrainRequest, train_events

from .recipes.stand_in import options_for

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator that torch can use")

DEVICE = "cuda"
#: Relative L2 distance in float64: sums are in another order there, and no more.
TOLERANCE = 1e-9


def trial_cell(name: str) -> Cell:
    return usual(cells.find(name)).cell()


def moved(state: State | None) -> State | None:
    return None if state is None else states.map_state(lambda leaf: None if leaf is None else leaf.to(DEVICE), state)


def there(one: Pass) -> Pass:
    """The same pass, all of it on the accelerator."""
    return replace(
        one,
        cell=copy.deepcopy(one.cell).to(DEVICE),
        x=one.x.to(DEVICE),
        state=moved(one.state),
        lengths=None if one.lengths is None else one.lengths.to(DEVICE),
        condition=None if one.condition is None else one.condition.to(DEVICE),
        mask=moved(one.mask),
        zoneout=moved(one.zoneout),
    )


@pytest.mark.parametrize("name", cells.built_in())
def test_a_cell_gives_what_it_gives_on_the_cpu(name):
    for one in cases(usual(cells.find(name)), torch.float64):
        right = measure(Reference(), one, (), None)
        for kernel in {choose.choose([there(one)]), Reference()}:
            ours = measure(kernel, there(one), (), None)
            assert ours.keys() == right.keys()
            for what, value in ours.items():
                assert value.device.type == DEVICE
                assert distance(value.cpu(), right[what]) <= TOLERANCE, (kernel.NAME, what)


@pytest.mark.parametrize("name", [name for name in cells.built_in() if fused.has_twin(trial_cell(name))])
def test_torch_s_operators_take_bfloat16_where_it_is_asked_for(name):
    kernel = fused.Fused()
    for one in cases(usual(cells.find(name), seed=4), torch.bfloat16):
        if one.mask is None and one.zoneout is None:
            right = measure(Reference(), one, (), None)
            ours = measure(kernel, there(one), (), torch.bfloat16)
            assert ours["output"].dtype == torch.bfloat16
            for what, value in ours.items():
                assert distance(value.cpu(), right[what]) <= kernel.TOLERANCE[torch.bfloat16], what


@pytest.mark.parametrize("name", cells.built_in())
def test_a_stepper_gives_what_whole_sequences_give(name):
    one = there(usual(cells.find(name)).sequence(trial_cell(name)))
    with torch.no_grad():
        (whole,) = Reference().run([one])
        output, state = choose.stepper(one.cell).run(one.x, one.state, one.condition)
    assert distance(output.cpu(), whole.output.cpu()) <= TOLERANCE
    for (what, ours), (_, right) in zip(states.leaves(state), states.leaves(whole.state), strict=True):
        assert distance(ours.cpu(), right.cpu()) <= TOLERANCE, what


@pytest.mark.parametrize("recipe", sorted(recipes.all_recipes()))
def test_a_recipe_trains_and_its_run_opens_on_the_cpu(recipe: str, tmp_path: Path):
    small = {key: value for key, value in options_for(recipe, tmp_path).items() if key != "dtype"}
    options = with_changes(recipes.find(recipe).Options(), {**small, "steps": 3, "device": DEVICE})
    events = list(train_events(TrainRequest(recipe, options, "made", runs=str(tmp_path / "runs"))))
    assert len([event for event in events if isinstance(event, Updated)]) == 3
    assert any(isinstance(event, Finished) for event in events)
    run = unrolled.load(tmp_path / "runs" / "made")
    assert all(parameter.device.type == "cpu" for parameter in run.model.parameters())
    if recipes.find(recipe).writing is not None:
        assert isinstance(run.sample(length=12, seed=3), str)
    if run.data.held_out.get("test") is not None:
        assert all(0 <= value <= 100 for value in run.evaluate().values())
