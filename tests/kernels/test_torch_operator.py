"""An operator past torch's dispatcher: the same numbers and gradients as through it, and a tracer never misses it."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from unrolled.errors import KernelError
from unrolled.kernels import native_core, native_operators, native_products, native_scan

pytestmark = pytest.mark.skipif(not native_core.is_built(), reason="no C++ compiler built the native core")


def drawn(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]


def cases():
    """Operator by name → how it is called here, its tensors that have gradients, and the rest."""
    lstm = native_core.number("lstm")
    u, W, start = drawn((4, 2, 12), (12, 3), (2, 2, 3))
    return {
        "recurrence": (native_operators.recurrence, [u, None, None, W, None, None, start, None, lstm, True, True]),
        "projection": (native_products.projection, drawn((4, 2, 5), (3, 5), (3,))),
        "scan": (native_scan.scan, [*drawn((6, 2, 3), (6, 2, 3), (2, 3)), False]),
    }


class Seen(TorchDispatchMode):
    """The operators of ours that torch's dispatcher is asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "unrolled":
            self.names.add(func.name().partition("::")[2])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["recurrence", "projection", "scan"])
def test_both_ways_give_the_same_to_the_last_bit(name):
    call, given = cases()[name]
    inputs = [one for one in given if isinstance(one, torch.Tensor)]
    results = []
    for way in (call, getattr(torch.ops.unrolled, name)):
        with Seen() as seen:
            output = way(*given)
            outputs = [output] if isinstance(output, torch.Tensor) else list(output)[:2]
            total = sum((one.sin() * torch.arange(1.0, 1 + one.numel()).view_as(one)).sum() for one in outputs)
            results.append([*outputs, *torch.autograd.grad(total, inputs)])
        assert (name in seen.names) == (way is not call)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


class Traced(torch.Tensor):
    """A tensor of a tracer's own."""


@pytest.mark.parametrize("name", ["recurrence", "projection", "scan"])
def test_a_tracers_tensor_goes_through_the_dispatcher(name):
    call, (first, *rest) = cases()[name]
    with torch.no_grad(), Seen() as seen:
        call(first.detach().as_subclass(Traced), *rest)
    assert name in seen.names


def test_a_second_derivative_is_refused_in_words():
    call, (u, *rest) = cases()["recurrence"]
    (d_u,) = torch.autograd.grad(call(u, *rest)[0].square().sum(), u, create_graph=True)
    with pytest.raises(KernelError, match="no second derivative; kernel='reference' has"):
        d_u.square().sum().backward()


@pytest.mark.parametrize("way", [native_products.projection, torch.ops.unrolled.projection])
def test_a_projection_has_a_second_derivative(way):
    assert torch.autograd.gradgradcheck(way, tuple(drawn((3, 2, 5), (4, 5), (4,))))
