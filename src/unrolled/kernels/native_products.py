"""Products over all times, in the native core: `unrolled::product`, and `unrolled::projection`, which torch can
differentiate.

Where torch's BLAS does not use all of the machine (on processors that are not of its maker's) these take half the time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from unrolled.errors import ShapeError
from unrolled.kernels import native_core
from unrolled.kernels.native_core import address, check
from unrolled.kernels.torch_operator import TorchOperator, no_second, no_second_setup

#: The types that products are made of.
TYPES = (torch.float32, torch.float64)


def _sizes(a: Tensor, b: Tensor, a_transposed: bool, b_transposed: bool) -> tuple[int, int, int]:
    """M, N, K. ShapeError unless a is (M, K), or (K, M) transposed, and b (K, N), or (N, K)."""
    if a.dim() != 2 or b.dim() != 2 or a.dtype not in TYPES:
        raise ShapeError(
            f"the native core multiplies two matrices of float32 or float64; {tuple(a.shape)} {a.dtype} "
            f"and {tuple(b.shape)} {b.dtype} came"
        )
    M, K = reversed(a.shape) if a_transposed else a.shape
    N = b.shape[0] if b_transposed else b.shape[1]
    check("the second matrix", b, (N, K) if b_transposed else (K, N), a.dtype)
    check("the first matrix", a, tuple(a.shape), a.dtype)
    return M, N, K


def _rows_together(matrix: Tensor) -> Tensor:
    """The matrix with the numbers of each row side by side; the rows may be apart."""
    return matrix if matrix.stride(1) == 1 and matrix.stride(0) >= matrix.shape[1] else matrix.contiguous()


def _product_fake(a: Tensor, b: Tensor, a_transposed: bool, b_transposed: bool, bias: Tensor | None) -> Tensor:
    M, N, _ = _sizes(a, b, a_transposed, b_transposed)
    return a.new_empty(M, N)


def _product(a: Tensor, b: Tensor, a_transposed: bool, b_transposed: bool, bias: Tensor | None) -> Tensor:
    """a b (M, N), and bias (N) on every row; each of a and b may stand transposed."""
    M, N, K = _sizes(a, b, a_transposed, b_transposed)
    if bias is not None:
        check("the bias", bias, (N,), a.dtype)
        bias = bias.contiguous()
    if M * N * K == 0:
        nothing = a.new_zeros(M, N)
        return nothing if bias is None else nothing + bias
    to = a.new_empty(M, N)
    a, b = _rows_together(a), _rows_together(b)
    native_core.core().product(
        *(native_core.ORDER[a.dtype], M, N, K, address(a), a.stride(0), a_transposed, address(b), b.stride(0)),
        *(b_transposed, address(bias), address(to), torch.get_num_threads()),
    )
    return to


def _projection_fake(x: Tensor, U: Tensor, b: Tensor | None) -> Tensor:
    return x.new_empty(*x.shape[:-1], len(U))


def project(x: Tensor, U: Tensor, b: Tensor | None) -> Tensor:
    """x (..., F), U (N, F), b (N) → U x + b (..., N), without a gradient: `projection` has one."""
    return _product(x.flatten(0, -2), U, False, True, b).view(*x.shape[:-1], len(U))


def _setup(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
    x, U, _ = inputs
    ctx.save_for_backward(x, U)


def _differentiate(ctx: Any, d_output: Tensor) -> tuple[Tensor | None, ...]:
    x, U = ctx.saved_tensors
    return gradients(d_output, x, U, ctx.needs_input_grad)


def gradients(d_output: Tensor, x: Tensor, U: Tensor, wanted: Sequence[bool]) -> tuple[Tensor | None, ...]:
    """Those of x, U and b, as far as they are wanted, from that of `projection`."""
    of_x, of_U, of_b = wanted
    d, flat = d_output.flatten(0, -2), x.flatten(0, -2)
    if torch.is_grad_enabled():  # for a second derivative, which `product` has not
        d_x, d_U = d @ U, d.mT @ flat
    else:
        d_x = product(d, U, False, False, None) if of_x else None
        d_U = product(d, flat, True, False, None) if of_U else None
    return None if d_x is None else d_x.view(x.shape), d_U, d.sum(0) if of_b else None


product = TorchOperator(
    "product(Tensor a, Tensor b, bool a_transposed, bool b_transposed, Tensor? bias) -> Tensor",
    _product,
    _product_fake,
    no_second,
    no_second_setup,
)
projection = TorchOperator(
    "projection(Tensor x, Tensor U, Tensor? b) -> Tensor", project, _projection_fake, _differentiate, _setup
)


def projections() -> contextlib.AbstractContextManager[Any]:
    """While it is entered, linear layers are made by the core, where it is there and torch.compile does not look on."""
    away = torch.compiler.is_compiling() or native_core.lacks("product")
    return contextlib.nullcontext() if away else _Projections()


class _Projections(TorchFunctionMode):
    """While it is entered, what torch is asked for as a linear layer of one of the types is made by the core."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and not torch.is_autocast_enabled("cpu"):
            x, weight, *_ = tensors = (*args, *kwargs.values())
            if all(one is None or (one.dtype in TYPES and one.dtype == x.dtype and one.is_cpu) for one in tensors):
                return projection(x, weight, tensors[2] if len(tensors) > 2 else None)
        return func(*args, **kwargs)
