"""The native core's scan as two torch operators, `unrolled::scan` and its backward.

`scan.py` has the recurrence, its gradient and the other ways to run it. Here a may be the same at all times, or in all
rows that lead the other axes: the core then reads it once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels import native_core
from unrolled.kernels.native_core import address, check
from unrolled.kernels.torch_operator import TorchOperator

#: Types that the core scans → their numbers in `ScanNumber` of csrc/scan.h.
ORDER = {torch.float32: 0, torch.float64: 1, torch.complex64: 2, torch.complex128: 3}
Three = tuple[Tensor, Tensor, Tensor]


def serves(b: Tensor) -> bool:
    """Whether the core can scan these coefficients."""
    return b.device.type == "cpu" and b.dtype in ORDER and not native_core.lacks("scan")


class _Laid(NamedTuple):
    """a (T, ...) as the core reads it: what is not time as rows × columns. time, row: numbers from one to the next, 0
    where they are the same."""

    a: Tensor
    rows: int
    columns: int
    time: int
    row: int


def _lay(a: Tensor) -> _Laid:
    count = a[0].numel()
    shape, strides = a.shape[1:], a.stride()[1:]
    # The axes that lead and along which nothing changes are the rows; the others must stand one after the other.
    repeated = 0
    while repeated < len(shape) and (strides[repeated] == 0 or shape[repeated] == 1):
        repeated += 1
    columns = int(torch.Size(shape[repeated:]).numel())
    inner = a[0][(0,) * repeated]
    in_order = inner.is_contiguous() and (a.stride(0) == 0 or a.stride(0) >= columns or len(a) == 1)
    if count == 0 or not in_order or a.is_conj():
        a = _in_order(a)
        return _Laid(a, 1, count, count, count)
    rows = count // columns
    return _Laid(a, rows, columns, a.stride(0), 0)


def _scan_fake(a: Tensor, b: Tensor, start: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    return b.new_empty(b.shape), b.new_empty(b.shape[1:])


def _scan(a: Tensor, b: Tensor, start: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    """a, b (T, ...), T at least 1, and start (...) → the state after each step (T, ...), and after the last (...)."""
    _check_shape("b", b)
    check("a", a, tuple(b.shape), b.dtype)
    check("the start", start, tuple(b.shape[1:]), b.dtype)
    h, last = _scan_fake(a, b, start, reverse)
    laid = _lay(a)
    b, start = map(_in_order, (b, start))
    native_core.core().scan(
        *(ORDER[b.dtype], len(b), laid.rows, laid.columns, reverse, torch.get_num_threads(), address(laid.a)),
        *(laid.time, laid.row, address(start), address(h), address(b)),
    )
    return h, last.copy_(h[0 if reverse else -1])


def _backward_fake(
    d_h: Tensor, d_last: Tensor | None, a: Tensor, start: Tensor, h: Tensor, reverse: bool, of_a: bool
) -> Three:
    return h.new_empty(len(h) if of_a else 0, *h.shape[1:]), h.new_empty(h.shape), h.new_empty(h.shape[1:])


def _scan_backward(
    d_h: Tensor, d_last: Tensor | None, a: Tensor, start: Tensor, h: Tensor, reverse: bool, of_a: bool
) -> Three:
    """h: what `scan` gave; d_h, d_last the gradients → those of a (empty unless `of_a`), of b and of the start."""
    _check_shape("h", h)
    for name, given in (("a", a), ("the gradient of h", d_h)):
        check(name, given, tuple(h.shape), h.dtype)
    for name, given in (("the start", start), ("the last state's gradient", d_last)):
        if given is not None:
            check(name, given, tuple(h.shape[1:]), h.dtype)
    gradients = _backward_fake(d_h, d_last, a, start, h, reverse, of_a)
    d_a, d_b, d_start = gradients
    laid = _lay(a)
    read = [None if part is None else _in_order(part) for part in (start, h, d_h, d_last)]
    native_core.core().scan_backward(
        *(ORDER[h.dtype], len(h), laid.rows, laid.columns, reverse, torch.get_num_threads(), address(laid.a)),
        *(laid.time, laid.row, *map(address, read), address(d_a if of_a else None), address(d_b), address(d_start)),
    )
    return gradients


def _check_shape(name: str, tensor: Tensor) -> None:
    if tensor.dtype not in ORDER or tensor.dim() == 0 or len(tensor) == 0:
        raise ShapeError(
            f"the native core wants {name} as (T, ...), T at least 1, of {', '.join(map(str, ORDER))}; "
            f"{tuple(tensor.shape)}, {tensor.dtype} came"
        )


def _in_order(tensor: Tensor) -> Tensor:
    """The same in C order; a conjugate that torch has only noted is written out."""
    return tensor.resolve_conj().contiguous()


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    a, _, start, ctx.reverse = inputs
    ctx.save_for_backward(a, start, output[0])
    ctx.set_materialize_grads(False)  # that of the last state is most often not there


def _differentiate(
    ctx: Any, d_h: Tensor | None, d_last: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
    a, start, h = ctx.saved_tensors
    of_a = ctx.needs_input_grad[0]
    d_h = torch.zeros_like(h) if d_h is None else d_h
    if torch.is_grad_enabled():
        return *_differentiable(a, start, h, d_h, d_last, ctx.reverse, of_a), None
    d_a, d_b, d_start = scan_backward(d_h, d_last, a, start, h, ctx.reverse, of_a)
    return d_a if of_a else None, d_b, d_start, None


def _differentiable(
    a: Tensor, start: Tensor, h: Tensor, d_h: Tensor, d_last: Tensor | None, reverse: bool, of_a: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """The gradients as what can be differentiated in turn: the other ways' scan."""
    from unrolled.kernels.scan import chunk_length, gradients, width

    def beside(at_start: Tensor, rest: Tensor) -> Tensor:
        return torch.cat([rest, at_start[None]] if reverse else [at_start[None], rest])

    if d_last is not None:
        d_h = torch.cat([d_h[:1] + d_last, d_h[1:]] if reverse else [d_h[:-1], d_h[-1:] + d_last])
    grad = beside(torch.zeros_like(start), d_h)
    return gradients(a, beside(start, h), grad, reverse, chunk_length(len(h), width(start)), of_a)


scan_backward = TorchOperator(
    "scan_backward(Tensor d_h, Tensor? d_last, Tensor a, Tensor start, Tensor h, bool reverse, bool of_a) "
    "-> (Tensor, Tensor, Tensor)",
    _scan_backward,
    _backward_fake,
)
scan = TorchOperator(
    "scan(Tensor a, Tensor b, Tensor start, bool reverse) -> (Tensor, Tensor)",
    _scan,
    _scan_fake,
    _differentiate,
    _setup,
)
