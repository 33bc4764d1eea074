"""The contract of a cell, clause by clause. `check_cell(MyCell)` runs them all.

This file is long because the contract is read whole, in one place.
Each clause takes a Subject and raises ContractError where the cell breaks it. Numbers are compared in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import safetensors.torch
import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck

from unrolled import states
from unrolled.cells.cell import Cell, DiagonalCell, LinearRecurrentCell, state_like
from unrolled.contracts.subject import LENGTHS, B, Subject, T, agree, differentiable, require, run
from unrolled.errors import ContractError
from unrolled.kernels.kernel import Pass, at
from unrolled.kernels.reference import ReferenceStepper
from unrolled.states import State


def check_cell(make: Callable[[int, int], Cell], places: Sequence[int] = ()) -> None:
    """Every clause, over the cells that `make(input_size, hidden_size)` gives; ContractError at the first one broken.

    places: rows and columns to try, for a cell over a grid, whose x is (T, B, rows, columns, F).
    """
    for clause in CLAUSES:
        try:
            clause(Subject(make, tuple(places)))
        except Exception as error:
            raise ContractError(f"clause {clause.__name__!r}: {clause.__doc__}\n{error}") from error


def form(subject: Subject) -> None:
    """Output (B, ..., output_size); a state that keeps leaves, shapes and types, batch first; all of GATES."""
    for dtype in (torch.float32, torch.float64):
        cell = subject.cell(dtype)
        one = subject.sequence(cell)
        start = cell.initial_state((B, *subject.places), torch.device("cpu"), dtype)
        step = ReferenceStepper(cell)(one.x[0], start, one.condition)
        wanted = (B, *subject.places, cell.output_size)
        require(step.output.shape == wanted, f"the output is {tuple(step.output.shape)}; it should be {wanted}")
        raw = cell.step(at(cell.project(one.x, cell.prepare(), one.condition), 0), start, cell.prepare()).state
        require(
            states.names(raw) == states.names(start) and type(raw) is type(start),
            f"a step makes a state of {states.names(raw)} from one of {states.names(start)}",
        )
        for (name, old), (_, new) in zip(states.leaves(start), states.leaves(raw), strict=True):
            require(old.shape[:1] == (B,), f"state leaf {name!r} is {tuple(old.shape)}: the batch ({B}) comes first")
            require(
                (old.shape, old.dtype) == (new.shape, new.dtype),
                f"state leaf {name!r} was {tuple(old.shape)} {old.dtype} and is {tuple(new.shape)} {new.dtype} "
                "after a step",
            )
        missing = [name for name in cell.GATES if name not in step.gates]
        require(not missing, f"GATES names {missing}, which a step's gates ({list(step.gates)}) lack")


def gradients(subject: Subject) -> None:
    """Gradients for x, state, condition and weights equal finite differences, over ragged lengths."""
    cell = subject.cell()
    one = subject.sequence(cell, steps=3)
    lengths = torch.tensor([3, 0, 2])
    one.x.requires_grad_()
    inputs = {"x": one.x, **dict(cell.named_parameters())}
    for name, leaf in states.leaves(one.state):
        if differentiable(leaf):
            inputs[f"state {name}"] = leaf.requires_grad_()
    if one.condition is not None:
        inputs["condition"] = one.condition.requires_grad_()

    def outputs(*_: Tensor) -> tuple[Tensor, ...]:
        # gradcheck changes the numbers of its inputs in place, so that the pass sees them.
        trace = run(replace(one, lengths=lengths))
        return trace.output, *(leaf for _, leaf in states.leaves(trace.state) if differentiable(leaf))

    try:
        gradcheck(outputs, tuple(inputs.values()))
    except GradcheckError as error:
        order = ", ".join(f"{number} {name}" for number, name in enumerate(inputs))
        require(False, f"gradients differ from finite differences (inputs: {order}): {error}")


def carried(subject: Subject) -> None:
    """A sequence cut in two, the state carried, gives what the whole gives."""
    cell = subject.cell()
    one = subject.sequence(cell)
    for lengths in (None, torch.tensor(LENGTHS)):
        whole = run(replace(one, lengths=lengths))
        cut = 2
        first = run(replace(one, x=one.x[:cut], lengths=None if lengths is None else lengths.clamp(max=cut)))
        later = None if lengths is None else (lengths - cut).clamp(min=0)
        second = run(replace(one, x=one.x[cut:], state=first.state, lengths=later))
        agree(torch.cat([first.output, second.output]), whole.output, "output of two halves with the state carried")
        agree(second.state, whole.state, "final state of two halves with the state carried")


def padding(subject: Subject) -> None:
    """What x holds past a length, be it NaN, changes no output, state or gradient; outputs there are zero."""
    cell = subject.cell()
    one = subject.sequence(cell)
    lengths = torch.tensor(LENGTHS)
    past = torch.arange(T)[:, None] >= lengths
    require(not run(replace(one, lengths=lengths)).output[past].any(), "outputs past a length are not zero")
    seen: list[tuple[Tensor, ...]] = []
    for garbage in (0.0, 1e3, float("nan"), float("inf")):
        x = one.x.masked_fill(past.reshape(T, B, *([1] * (one.x.dim() - 2))), garbage).requires_grad_()
        trace = run(replace(one, x=x, lengths=lengths))
        wanted = [x, *cell.parameters()]
        grads = torch.autograd.grad(trace.output.abs().square().sum(), wanted, allow_unused=True)
        kept = tuple(torch.zeros_like(w) if g is None else g for g, w in zip(grads, wanted, strict=True))
        seen.append((trace.output, *(leaf for _, leaf in states.leaves(trace.state)), *kept))
        agree(seen[-1], seen[0], f"output, state and gradients with {garbage} past the lengths", 0.0)


def rows(subject: Subject) -> None:
    """Each row gives alone what it gives among others, in any order."""
    cell = subject.cell()
    one = subject.sequence(cell)
    lengths = torch.tensor(LENGTHS)
    together = run(replace(one, lengths=lengths))
    for choice in ([0], [1], [2], [2, 0, 1]):
        index = torch.tensor(choice)
        alone = run(
            Pass(
                cell,
                one.x[:, index],
                states.select(one.state, index),
                lengths[index],
                condition=None if one.condition is None else one.condition[index],
            )
        )
        agree(alone.output, together.output[:, index], f"output of rows {choice} alone")
        agree(alone.state, states.select(together.state, index), f"final state of rows {choice} alone")


def stored(subject: Subject) -> None:
    """A state survives a file, leaf by leaf and bit by bit, and what follows it is the same."""
    cell = subject.cell()
    one = subject.sequence(cell)
    file = {name or "state": leaf.contiguous() for name, leaf in states.to_tensors(states.detach(one.state)).items()}
    read = safetensors.torch.load(safetensors.torch.save(file))
    named = {name: read[name or "state"] for name in states.names(one.state)}
    back = states.from_tensors(named, like=state_like(cell, one.x))
    agree(back, one.state, "a state written and read", 0.0)
    agree(run(replace(one, state=back)).output, run(one).output, "output after a state written and read", 0.0)


def weights(subject: Subject) -> None:
    """Everything learnt or set is in `state_dict`: a new cell that loads it gives the same."""
    cell, other = subject.cell(seed=0), subject.cell(seed=9)
    other.load_state_dict(cell.state_dict())
    one = subject.sequence(cell)
    agree(run(replace(one, cell=other)).output, run(one).output, "output of a new cell that loads the weights", 1e-12)


def no_memory(subject: Subject) -> None:
    """Two runs give the same: nothing is drawn, kept from call to call, or changed in what came in."""
    cell = subject.cell().train()
    one = subject.sequence(cell)
    before = states.map_state(Tensor.clone, one.state)
    x = one.x.clone()
    first, second = run(one), run(one)
    agree(second.output, first.output, "output of a second, equal run", 0.0)
    agree((one.x, one.state), (x, before), "what came in, after a run", 0.0)


def backward_direction(subject: Subject) -> None:
    """Read backwards, each row within its own length, is the reversed row read forwards, reversed."""
    cell = subject.cell()
    one = subject.sequence(cell)
    lengths = torch.tensor(LENGTHS)
    ours = run(replace(one, lengths=lengths, direction="backward"), ("states",))
    for row, length in enumerate(LENGTHS):
        index = torch.tensor([row])
        start = states.select(one.state, index)
        state, output = start, torch.zeros_like(ours.output[:, index])
        if length:
            alone = replace(
                one,
                x=one.x[:length, index].flip(0),
                state=start,
                condition=None if one.condition is None else one.condition[index],
            )
            trace = run(alone)
            state, output[:length] = trace.state, trace.output.flip(0)
        agree(ours.output[:, index], output, f"output of a row of length {length}, backwards")
        agree(states.select(ours.state, index), state, f"final state of a row of length {length}, backwards")


def short(subject: Subject) -> None:
    """T = 1 works; rows of length 0 keep their state and give zeros."""
    cell = subject.cell()
    one = subject.sequence(cell, steps=1)
    trace = run(one)
    step = ReferenceStepper(cell)(one.x[0], one.state, one.condition)
    agree((trace.output[0], trace.state), (step.output, step.state), "a sequence of one step")
    empty = run(replace(one, lengths=torch.zeros(B, dtype=torch.int64)))
    agree(empty.state, one.state, "the state after rows of length 0", 0.0)
    require(not empty.output.any(), "rows of length 0 have outputs other than zero")


def projected(subject: Subject) -> None:
    """`project` for all times is `project` for each time."""
    cell = subject.cell()
    one = subject.sequence(cell)
    weights = cell.prepare()
    together = cell.project(one.x, weights, one.condition)
    for t in range(T):
        alone = cell.project(one.x[t : t + 1], weights, one.condition)
        agree(_tensors(at(alone, 0)), _tensors(at(together, t)), f"project for time {t} alone")


def stepped(subject: Subject) -> None:
    """Step by step, in a closed loop, gives what the sequence gives: outputs, states and gates."""
    cell = subject.cell()
    one = subject.sequence(cell)
    trace = run(one, ("states", "gates"))
    assert trace.states is not None and trace.gates is not None
    stepper, state = ReferenceStepper(cell), one.state
    for t in range(T):
        output, state, gates = stepper(one.x[t], state, one.condition)
        agree(output, trace.output[t], f"output of step {t}")
        agree(state, states.map_state(lambda leaf, t=t: leaf[t], trace.states), f"state after step {t}")
        for name, gate in gates.items():
            agree(gate, trace.gates[name][t], f"gate {name!r} of step {t}")


def state_type(subject: Subject) -> None:
    """The state keeps the type that it came with, under bfloat16 autocast too."""
    cell = subject.cell(torch.float32)
    one = subject.sequence(cell)
    with torch.autocast("cpu", torch.bfloat16):
        final = run(one).state
    for (name, old), (_, new) in zip(states.leaves(one.state), states.leaves(final), strict=True):
        require(old.dtype == new.dtype, f"state leaf {name!r} came as {old.dtype} and left as {new.dtype}")


def one_hot(subject: Subject) -> None:
    """Whole numbers (T, B) give what their one-hot vectors give. (A cell over a grid reads no symbols.)"""
    if subject.places:
        return
    cell = subject.cell()
    one = subject.sequence(cell)
    symbols = torch.arange(T * B).reshape(T, B) % subject.input_size
    vectors = torch.nn.functional.one_hot(symbols, subject.input_size).to(one.x.dtype)
    agree(run(replace(one, x=symbols)).output, run(replace(one, x=vectors)).output, "output for symbols")


def linear_product(subject: Subject) -> None:
    """For a cell with `recur`: it is linear in the state but for a constant, and `step` is `combine` of it."""
    cell = subject.cell()
    if not isinstance(cell, LinearRecurrentCell):
        return
    one, other = subject.sequence(cell), subject.sequence(cell, seed=5)
    prepared = cell.prepare()

    def product(state: State) -> State:
        return _tensors(cell.recur(state, prepared))

    def mixed(a: Tensor, b: Tensor) -> Tensor:
        return 0.3 * a + 0.7 * b if differentiable(a) else a

    agree(
        product(states.map_state(mixed, one.state, other.state)),
        states.map_state(mixed, product(one.state), product(other.state)),
        "recur of a mixture of two states, against the mixture of recur",
    )
    u = at(cell.project(one.x, prepared, one.condition), 0)
    step = cell.step(u, one.state, prepared)
    by_hand = cell.combine(u, cell.recur(one.state, prepared), one.state)
    agree((step.output, step.state), (by_hand.output, by_hand.state), "step, against combine of recur")
    ones = states.map_state(torch.ones_like, one.state)
    agree(run(replace(one, mask=ones)).output, run(one).output, "output with a mask of ones", 0.0)


def diagonal(subject: Subject) -> None:
    """For a diagonal cell: `coefficients` and `readout` for all times are those of each time, and h = a ∘ h + b."""
    cell = subject.cell()
    if not isinstance(cell, DiagonalCell):
        return
    one = subject.sequence(cell)
    u = cell.project(one.x, cell.prepare(), one.condition)
    a, b = cell.coefficients(u)
    every = []
    h = one.state
    for t in range(T):
        agree(cell.coefficients(at(u, t)), (a[t], b[t]), f"coefficients of time {t} alone")
        h = a[t] * h + b[t]
        every.append(h)
    agree(cell.readout(torch.stack(every), u), run(one).output, "readout of all times at once")


def _tensors(u: State) -> State:
    """u without the parts that are None."""
    return tuple(_tensors(part) for part in u if part is not None) if isinstance(u, tuple) else u


#: Every clause, each a sentence in its docstring.
CLAUSES: tuple[Callable[[Subject], None], ...] = (
    form,
    gradients,
    carried,
    padding,
    rows,
    stored,
    weights,
    no_memory,
    backward_direction,
    short,
    projected,
    stepped,
    state_type,
    one_hot,
    linear_product,
    diagonal,
)
