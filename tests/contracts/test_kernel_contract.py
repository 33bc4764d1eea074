"""Every kernel keeps the contract over every cell, and the contract catches kernels that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from unrolled import states
from unrolled.cells import registry
from unrolled.cells.cell import LinearRecurrentCell
from unrolled.contracts.kernel import check_kernel
from unrolled.contracts.subject import usual
from unrolled.errors import ContractError
from unrolled.kernels import choose, native_core
from unrolled.kernels.kernel import Kernel, Trace, past_length
from unrolled.kernels.reference import Reference

# Seeds for which no unit of a cell with kinks (ReLU, modReLU) crosses one in bfloat16.
SEEDS = {"elman-relu": 4, "irnn": 4, "householder-rnn": 4}
SUBJECTS = {name: usual(cell, SEEDS.get(name, 2)) for name, cell in registry.built_in().items()}


NATIVE = (
    *("coupled-lstm", "elman", "elman-relu", "elman-sigmoid", "gated-leaky", "gru", "indrnn", "irnn", "learnt-leaky"),
    *("leaky", "lstm", "no-forget-lstm", "peephole-lstm", "projected-lstm", "slstm"),
)
# Whose step is not made of rows of numbers: complex or whole ones, convolutions, heads that fold into the rows.
NO_PROGRAM = ("conv-lstm", "lru", "mlstm", "urnn")


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("kernel", choose.KERNELS, ids=lambda kernel: kernel.NAME)
def test_every_kernel_agrees_with_the_reference_over_every_cell(kernel, name):
    served = check_kernel(kernel, [SUBJECTS[name]])
    twin = name in ("elman", "elman-relu", "gru", "irnn", "lstm", "projected-lstm")
    # Per number type: 3 inputs × 2 directions × 3 kinds of lengths; the reference serves all 4 records, zoneout, and a
    # mask where there is a recurrent product.
    if kernel.NAME == "native":
        masked = name not in ("indrnn", "projected-lstm")  # which have no such product, or have joined it with another
        assert served == (3 * (18 + masked) if name in NATIVE and native_core.is_built() else 0)
    if kernel.NAME == "fused":
        assert served == (3 * 18 if twin else 0)
    if kernel.NAME == "scan":  # all 4 records and zoneout, but no mask
        diagonal = ("lru", "memoryless", "min-gru", "min-lstm", "selective", "sru")
        assert served == (3 * 4 * 19 if name in diagonal else 0)
    if kernel.NAME == "chunked":
        assert served == (3 * 18 if name == "mlstm" else 0)
    if kernel.NAME == "traced":  # zoneout, and a mask where there is a recurrent product
        masked = issubclass(registry.find(name), LinearRecurrentCell)
        assert served == (3 * (19 + masked) if name not in NO_PROGRAM and native_core.is_built() else 0)
    if kernel.NAME == "reference":
        cell = registry.find(name)
        inputs = 2 if cell.PLACES else 3  # no symbols over a grid
        assert served == 3 * 4 * (inputs * 6 + 1 + issubclass(cell, LinearRecurrentCell))


class Broken(Reference):
    """The reference, with one thing wrong."""

    TOLERANCE = {torch.float64: 1e-12, torch.bfloat16: 1e-1}  # noqa: RUF012

    def wrong(self, one, trace):
        return trace

    def _run(self, passes, record):
        return [self.wrong(one, trace) for one, trace in zip(passes, super()._run(passes, record), strict=True)]


class WrongDirection(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, direction="forward") for one in passes], record)


class LeavesPadding(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, lengths=None) for one in passes], record)


class CutsTheStartingState(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, state=states.detach(one.state)) for one in passes], record)


class ForgetsZoneout(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, zoneout=None) for one in passes], record)


class ForgetsTheMask(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, mask=None) for one in passes], record)


class CutsX(Broken):
    def _run(self, passes, record):
        return Reference()._run([replace(one, x=one.x.detach()) for one in passes], record)


class SwapsStates(Broken):
    def wrong(self, one, trace):
        return trace._replace(state=type(trace.state)(*reversed(trace.state)))


class GivesNoRecord(Broken):
    def wrong(self, one, trace):
        return Trace(trace.output, trace.state)


class NarrowsTheState(Broken):
    def wrong(self, one, trace):
        return trace._replace(state=states.map_state(lambda leaf: leaf.float(), trace.state))


class LosesHalfAGradient(Broken):
    def wrong(self, one, trace):
        half = 0.5 * trace.output + 0.5 * trace.output.detach()
        return trace._replace(output=past_length(half, one.lengths))


class RefusesAndRuns(Broken):
    def refuses(self, passes, record=()):
        return ["not on a day like this"]

    def run(self, passes, record=()):
        return Reference()._run(passes, record)


class RefusesWithoutWords(Broken):
    def refuses(self, passes, record=()):
        return ["no"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (WrongDirection, "backward.*output is"),
        (LeavesPadding, "lengths \\[5, 0, 3\\].*output is"),
        (CutsTheStartingState, "gradient of starting state hidden"),
        (CutsX, "gradient of x"),
        (ForgetsZoneout, "zoned out: output is"),
        (ForgetsTheMask, "masked: output is"),
        (SwapsStates, "final state hidden is"),
        (GivesNoRecord, "recording states: gives"),
        (NarrowsTheState, "came as torch.float64, left as torch.float32"),
        (LosesHalfAGradient, "gradient of"),
        (RefusesAndRuns, "refused, and run all the same"),
        (RefusesWithoutWords, "no reasons in words"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_kernel_is_caught(broken: type[Kernel], sentence):
    with pytest.raises(ContractError, match=sentence):
        check_kernel(broken(), [SUBJECTS["lstm"]])
