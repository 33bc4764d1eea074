"""What this machine can do at most, measured in the same session as the suites that are held against it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping

import torch

from unrolled.kernels import native_core
from unrolled.workshop.results import Figure

#: Rows, columns and terms of the product that stands for what a product can reach.
PRODUCT = 1024
#: Working sets in KiB: in the first and second level of cache, in the last, and in memory.
WORKING_SETS = (16, 64, 256, 1024, 4096, 16384, 131072)
SECONDS = 0.4


def rate(call: Callable[[], object], amount: float, seconds: float = SECONDS) -> float:
    """`amount` a second over calls for so many seconds: of the fastest tenth, for others may have had the core."""
    spent = []
    began = time.perf_counter()
    while len(spent) < 10 or time.perf_counter() - began < seconds:
        before = time.perf_counter()
        call()
        spent.append(time.perf_counter() - before)
    return amount / statistics.median(sorted(spent)[: max(1, len(spent) // 10)])


def product(dtype: torch.dtype) -> float:
    """Flops a second of torch's product of two large matrices, on torch's threads."""
    a, b, out = (torch.rand(PRODUCT, PRODUCT).to(dtype) for _ in range(3))
    return rate(lambda: torch.mm(a, b, out=out), 2 * PRODUCT**3)


def peak(dtype: torch.dtype) -> float:
    """Flops a second of multiplications in registers alone, on torch's threads: what no product can pass. float32, or
    bfloat16, which is float32's where there is no instruction for it. 0 where the native core was not built.
    """
    if native_core.lacks("peak"):
        return 0.0
    number, threads, rounds = native_core.ORDER[dtype], torch.get_num_threads(), 100_000
    flops = native_core.core().peak(number, rounds, threads)
    return rate(lambda: native_core.core().peak(number, rounds, threads), flops)


def copy(kibibytes: int) -> float:
    """Bytes a second, read and written, of a copy whose two arrays have so many KiB together; on one thread."""
    count = kibibytes * 1024 // 8
    source, target = torch.ones(count), torch.empty(count)
    repeats = max(1, 2**22 // (kibibytes * 1024))

    def call() -> None:
        for _ in range(repeats):
            target.copy_(source)

    return rate(call, 8 * count * repeats)


def read(kibibytes: int) -> float:
    """Bytes a second of reading alone: the inner product of two arrays that have so many KiB together; one thread."""
    one, other = torch.ones(kibibytes * 128), torch.ones(kibibytes * 128)
    repeats = max(1, 2**22 // (kibibytes * 1024))

    def call() -> None:
        for _ in range(repeats):
            torch.dot(one, other)

    return rate(call, kibibytes * 1024 * repeats)


def bandwidth(reads: Mapping[int, float], working_set: float) -> float:
    """Bytes a second for so many bytes, between the two sizes measured beside it. reads: KiB → bytes a second."""
    sizes = sorted(reads)
    at = min(max(working_set / 1024, sizes[0]), sizes[-1])
    above = next(size for size in sizes if size >= at)
    below = max((size for size in sizes if size < above), default=above)
    share = 0.0 if above == below else math.log(at / below) / math.log(above / below)
    return reads[below] * (reads[above] / reads[below]) ** share


def calibrate(threads: int) -> list[Figure]:
    """What every suite that compares speeds records of its machine, first of all."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    words = f"{threads} thread{'s' if threads > 1 else ''}"
    try:
        found = [
            Figure(f"sgemm, {words}", "GF/s", (round(product(torch.float32) / 1e9, 1),)),
            Figure(f"bfloat16 product, {words}", "GF/s", (round(product(torch.bfloat16) / 1e9, 1),)),
            *(
                Figure(f"in registers, {str(dtype).removeprefix('torch.')}, {words}", "GF/s", (round(flops / 1e9, 1),))
                for dtype in (torch.float32, torch.bfloat16)
                if (flops := peak(dtype))
            ),
        ]
        if threads == 1:
            for name, measured in (("copy", copy), ("read", read)):
                found += [
                    Figure(f"{name}, {size} KiB", "GB/s", (round(measured(size) / 1e9, 1),)) for size in WORKING_SETS
                ]
    finally:
        torch.set_num_threads(before)
    return found
