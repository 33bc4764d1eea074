"""Which kernel runs: the first in order that neither refuses nor yields to a faster one, or the one asked for by name,
which never gives way."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from unrolled.cells.cell import Cell
from unrolled.errors import KernelError, OptionError, did_you_mean
from unrolled.kernels import native_stream, traced_stream
from unrolled.kernels.chunked import Chunked
from unrolled.kernels.fused import Fused
from unrolled.kernels.kernel import Kernel, Pass, Precision, Record, Stepper
from unrolled.kernels.native import Native
from unrolled.kernels.reference import Reference, ReferenceStepper
from unrolled.kernels.scan import Scan
from unrolled.kernels.traced import Traced

#: Fastest first.
KERNELS: tuple[Kernel, ...] = (Native(), Fused(), Chunked(), Traced(), Scan(), Reference())
AUTO = "auto"


def names() -> list[str]:
    """What `--kernel` takes: auto, then every kernel, the fastest first."""
    return [AUTO, *(kernel.NAME for kernel in KERNELS)]


def choose(passes: Sequence[Pass], record: Collection[Record] = (), name: str = AUTO) -> Kernel:
    """The kernel for these passes. KernelError where the one named, or every one, refuses."""
    if name == AUTO:
        for kernel in KERNELS:
            if not _against(kernel, passes, record):
                return kernel
        raise KernelError("; ".join(f"{k}: {', '.join(why)}" for k, why in explain(passes, record).items()))
    kernel = named(name)
    if reasons := kernel.refuses(passes, record):
        raise KernelError(f"kernel {name!r} was asked for and cannot serve this: {'; '.join(reasons)}")
    return kernel


def named(name: str) -> Kernel:
    """The kernel called `name`. OptionError, with the nearest name, where there is none."""
    for kernel in KERNELS:
        if name == kernel.NAME:
            return kernel
    raise OptionError(f"no kernel is called {name!r}.{did_you_mean(name, names())} Known: {', '.join(names())}")


def explain(passes: Sequence[Pass], record: Collection[Record] = ()) -> dict[str, list[str]]:
    """Kernel → its reasons against these passes, in the order in which they are tried."""
    return {kernel.NAME: _against(kernel, passes, record) for kernel in KERNELS}


def _against(kernel: Kernel, passes: Sequence[Pass], record: Collection[Record]) -> list[str]:
    return kernel.refuses(passes, record) or kernel.yields(passes, record)


def stepper(cell: Cell, precision: Precision = "float32") -> Stepper:
    """One step a call, packed once, for closed loops: sampling, decoders. In the native core where it serves the cell.

    precision: of the packed weights. KernelError where another one than float32 is asked for and cannot be had.
    """
    reasons = native_stream.refuses(cell)
    if not reasons:
        return native_stream.NativeStepper(cell, precision)
    if precision != "float32":
        raise KernelError(f"weights of {precision} were asked for and cannot be had: {'; '.join(reasons)}")
    return ReferenceStepper(cell) if traced_stream.refuses(cell) else traced_stream.TracedStepper(cell)
