"""The contract of a kernel: it agrees with the reference, or says in words why it does not serve a case.

`check_kernel(kernel, subjects)` runs every case: cell × number type × direction × ragged or not × floats or symbols,
always from a state that is not zero, with random cotangents on outputs and final states.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import is_symbols
from unrolled.contracts.subject import LENGTHS, B, Subject, T, differentiable, distance, require
from unrolled.errors import KernelError
from unrolled.kernels.kernel import DIRECTIONS, Kernel, Pass, Record, Trace
from unrolled.kernels.reference import Reference

RECORDS: tuple[tuple[Record, ...], ...] = ((), ("states",), ("gates",), ("states", "gates"))


def check_kernel(kernel: Kernel, subjects: Iterable[Subject]) -> int:
    """Every case over these subjects; ContractError at the first that is broken. Returns how many were served.

    A kernel that refuses everything breaks nothing: the number is there to be looked at.
    """
    served = 0
    for subject in subjects:
        for dtype in kernel.TOLERANCE:
            for one in cases(subject, dtype):
                for record in RECORDS:
                    served += check_case(kernel, one, record, dtype)
    return served


def cases(subject: Subject, dtype: torch.dtype) -> list[Pass]:
    """The passes to try for one cell, in one number type (bfloat16: float32 weights, products under autocast)."""
    cell = subject.cell(torch.float32 if dtype == torch.bfloat16 else dtype)
    plain = subject.sequence(cell)
    inputs = [plain.x, plain.x[:1]]
    if not subject.places:
        inputs.append(torch.arange(T * B).reshape(T, B) % subject.input_size)
    found = []
    for x in inputs:
        for direction in DIRECTIONS:
            for lengths in (None, torch.tensor(LENGTHS).clamp(max=len(x)), torch.full((B,), len(x))):
                found.append(replace(plain, x=_spoilt(x, lengths), direction=direction, lengths=lengths))
    ragged = replace(plain, lengths=torch.tensor(LENGTHS))
    found.append(replace(ragged, zoneout=subject.zoneout(plain.state)))
    mask = subject.mask(cell, plain.state)
    return found if mask is None else [*found, replace(ragged, mask=mask)]


def _spoilt(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x with what must not be read past each length: NaN, or a symbol that there is not."""
    if lengths is None:
        return x
    past = torch.arange(len(x))[:, None] >= lengths
    return x.masked_fill(past.reshape(*past.shape, *([1] * (x.dim() - 2))), -1 if is_symbols(x) else float("nan"))


def check_case(kernel: Kernel, one: Pass, record: tuple[Record, ...], dtype: torch.dtype) -> bool:
    """One case: true where it was served and agreed, false where it was refused, in words, and not run all the same."""
    what = _describe(kernel, one, record, dtype)
    reasons = kernel.refuses([one], record)
    if reasons:
        require(all(len(reason.split()) > 3 for reason in reasons), f"{what}: {reasons} are no reasons in words")
        try:
            kernel.run([one], record)
        except KernelError:
            return False
        require(False, f"{what}: refused, and run all the same")
    ours, theirs = measure(kernel, one, record, dtype), measure(Reference(), one, record, None)
    require(ours.keys() == theirs.keys(), f"{what}: gives {sorted(ours)}, the reference {sorted(theirs)}")
    for name, right in theirs.items():
        left = ours[name]
        require(left.shape == right.shape, f"{what}: {name} is {tuple(left.shape)}, not {tuple(right.shape)}")
        apart, allowed = distance(left, right), kernel.TOLERANCE[dtype]
        require(apart <= allowed, f"{what}: {name} is {apart:.2g} from the reference, and {allowed:.2g} is allowed")
    return True


def check_extremes(kernel: Kernel, single: Pass, double: Pass) -> None:
    """Input that saturates, and input of denormal numbers, by `check_rounding`."""
    for scale in (30.0, 1e-30, 1e-42):
        x, state = single.x * scale, states.map_state(lambda leaf, scale=scale: leaf * min(scale, 1), single.state)
        check_rounding(kernel, replace(single, x=x, state=state), double, f", times {scale:g}")


def check_rounding(kernel: Kernel, single: Pass, double: Pass, what: str = "") -> None:
    """In float32 no further from float64 than twice the reference, or 1e-5.

    Where gates saturate, or numbers cancel, float32 has few digits to any kernel: float64 tells how many. single,
    double: the same pass in both types; the numbers of `double` become those of `single`. what: is added to its name.
    """
    double.cell.load_state_dict(single.cell.state_dict())
    exact = replace(double, x=single.x.double(), state=states.map_state(lambda leaf: leaf.double(), single.state))
    ours, theirs = measure(kernel, single, (), None), measure(Reference(), single, (), None)
    for name, right in measure(Reference(), exact, (), None).items():
        apart, allowed = distance(ours[name], right), max(1e-5, 2 * distance(theirs[name], right))
        named = f"{_describe(kernel, single, (), torch.float32)}{what}"
        require(apart <= allowed, f"{named}: {name} is {apart:.2g} from float64, and {allowed:.2g} is allowed")


def measure(kernel: Kernel, one: Pass, record: tuple[Record, ...], autocast: torch.dtype | None) -> dict[str, Tensor]:
    """Everything that a pass gives, by name: outputs, states, gates, and the gradient of each input and weight."""
    inputs: dict[str, Tensor] = dict(one.cell.named_parameters())
    x = one.x.detach().clone()
    if not is_symbols(x):
        inputs["x"] = x.requires_grad_()
    condition = None if one.condition is None else one.condition.detach().clone()
    if condition is not None:
        inputs["condition"] = condition.requires_grad_()
    start = states.map_state(lambda leaf: leaf.detach().clone().requires_grad_(differentiable(leaf)), one.state)
    inputs |= {f"starting state {name}": leaf for name, leaf in states.leaves(start) if differentiable(leaf)}

    narrow = torch.autocast(x.device.type, torch.bfloat16) if autocast == torch.bfloat16 else contextlib.nullcontext()
    with narrow:
        (trace,) = kernel.run([replace(one, x=x, state=start, condition=condition)], record)
    given = _named(trace)
    with torch.no_grad():
        for name, old in states.leaves(start):
            new = given[f"final state {name}"]
            require(new.dtype == old.dtype, f"{kernel.NAME}: state {name!r} came as {old.dtype}, left as {new.dtype}")
    followed = [value for value in given.values() if value.requires_grad]
    generator = torch.Generator().manual_seed(7)
    cotangents = [
        torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.device, value.dtype)
        for value in followed
    ]
    grads = torch.autograd.grad(followed, list(inputs.values()), cotangents, allow_unused=True)
    for (name, value), grad in zip(inputs.items(), grads, strict=True):
        given[f"gradient of {name}"] = torch.zeros_like(value) if grad is None else grad
    return given


def _named(trace: Trace) -> dict[str, Tensor]:
    given = {"output": trace.output}
    given |= {f"final state {name}": leaf for name, leaf in states.leaves(trace.state)}
    if trace.states is not None:
        given |= {f"every state {name}": leaf for name, leaf in states.leaves(trace.states)}
    if trace.gates is not None:
        given |= {f"gate {name}": gate for name, gate in trace.gates.items()}
    return given


def _describe(kernel: Kernel, one: Pass, record: tuple[Record, ...], dtype: torch.dtype) -> str:
    parts = [
        f"kernel {kernel.NAME!r} on {type(one.cell).__name__}",
        str(dtype).removeprefix("torch."),
        one.direction,
        f"x {tuple(one.x.shape)}",
        "" if one.lengths is None else f"lengths {one.lengths.tolist()}",
        "masked" if one.mask is not None else "",
        "zoned out" if one.zoneout is not None else "",
        f"recording {', '.join(record)}" if record else "",
    ]
    return ", ".join(part for part in parts if part)
