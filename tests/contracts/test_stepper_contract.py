"""Every cell's stepper keeps the contract, and the contract catches steppers that do not."""

from __future__ import annotations

import pytest
import torch
from test_kernel_contract import NO_PROGRAM, SUBJECTS

from unrolled import states
from unrolled.cells.cell import Step
from unrolled.contracts.stepper import check_stepper
from unrolled.errors import ContractError
from unrolled.kernels import choose, native_core
from unrolled.kernels.reference import ReferenceStepper

STREAMED = ("elman", "elman-relu", "elman-sigmoid", "gru", "irnn", "lstm")


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_cells_stepper_keeps_the_contract_and_is_compiled_where_it_can_be(name):
    subject = SUBJECTS[name]
    kind = choose.stepper(subject.cell(torch.float32)).NAME
    if native_core.is_built():
        assert kind == ("native" if name in STREAMED else "reference" if name in NO_PROGRAM else "traced")
        assert (choose.stepper(subject.cell(torch.float64)).NAME == "traced") == (name not in NO_PROGRAM)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        check_stepper(choose.stepper, subject, dtype, tolerance)


class Broken(ReferenceStepper):
    """The reference's stepper, with one thing wrong."""


class ForgetsZoneout(Broken):
    def __call__(self, x_t, state, condition=None, zoneout=None):
        return super().__call__(x_t, state, condition)


class TakesMasksForShares(Broken):
    def __call__(self, x_t, state, condition=None, zoneout=None):
        if zoneout is not None:
            zoneout = states.map_state(
                lambda kept: kept.to(x_t.dtype) / 2 if kept.dtype == torch.bool else kept, zoneout
            )
        return super().__call__(x_t, state, condition, zoneout)


class StartsAnew(Broken):
    def run(self, x, state, condition=None):
        return super().run(x, states.map_state(torch.zeros_like, state), condition)


class CutsGradients(Broken):
    def __call__(self, x_t, state, condition=None, zoneout=None):
        step = super().__call__(x_t, state, condition, zoneout)
        return Step(step.output, states.detach(step.state), {})


class NarrowsTheState(Broken):
    def __call__(self, x_t, state, condition=None, zoneout=None):
        step = super().__call__(x_t, state, condition, zoneout)
        return step._replace(state=states.map_state(lambda leaf: leaf.float(), step.state))


class LooksUpTheWrongSymbol(Broken):
    def __call__(self, x_t, state, condition=None, zoneout=None):
        return super().__call__(x_t if x_t.is_floating_point() else (x_t + 1) % 3, state, condition, zoneout)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (ForgetsZoneout, "vectors, zoned out, leaf"),
        (TakesMasksForShares, "zoned out by masks"),
        (StartsAnew, "many steps in one call"),
        (CutsGradients, "gradients"),
        (NarrowsTheState, "came as torch.float64, left as torch.float32"),
        (LooksUpTheWrongSymbol, "symbols, leaf"),
    ],
)
def test_a_broken_stepper_is_caught(broken, sentence):
    with pytest.raises(ContractError, match=sentence):
        check_stepper(broken, SUBJECTS["lstm"], torch.float64, 1e-12)
