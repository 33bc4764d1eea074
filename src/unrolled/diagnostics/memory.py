"""How much a network must keep for the backward pass, in bytes, against the length T of what it reads.

Backpropagation through time keeps every step's values until the gradient has come by: memory O(T). Truncated to windows
of k steps, with the state carried forward for ever and the gradient cut, it keeps one window: O(1) in T (Williams &
Peng 1990). Recomputing what lies between √T kept states: O(√T) (Chen et al. 2016, arXiv:1604.06174).

Counted are the bytes that autograd saves, by `torch.autograd.graph.saved_tensors_hooks`: each storage once, from when
it is saved to when the graph lets it go; what is told is the most at one time. Weights and inputs are there anyway,
and are left out.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled import states
from unrolled.cells.cell import Cell
from unrolled.errors import OptionError
from unrolled.figures import Curves, Series
from unrolled.kernels import choose
from unrolled.layers.recurrent import Recurrent


class Memory(NamedTuple):
    """bytes[i] is the most that was held at one time while a sequence of lengths[i] steps was trained on."""

    lengths: tuple[int, ...]
    bytes: tuple[int, ...]

    def slope(self) -> float:
        """Of the line through ln bytes against ln T, by least squares: 1 for O(T), ½ for O(√T), 0 for O(1)."""
        x, y = ([math.log(value) for value in values] for values in (self.lengths, self.bytes))
        x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
        above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
        return above / sum((a - x_mean) ** 2 for a in x)


class _Held:
    """A tensor that the graph has saved. It dies with the graph's wish for it, and is then no longer counted."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class _Account:
    """Bytes held now, and the most that were held at once."""

    def __init__(self, besides: Iterable[Tensor]) -> None:
        # The tensors themselves are kept too: an address that was free again could be another's.
        self.besides = list(besides)
        self.ignored = {tensor.untyped_storage().data_ptr() for tensor in self.besides}
        self.holders: Counter[int] = Counter()
        self.now = 0
        self.most = 0

    def save(self, tensor: Tensor) -> _Held:
        held = _Held(tensor.detach())
        storage = tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self.ignored:
            self.holders[place] += 1
            if self.holders[place] == 1:
                self.now += size
                self.most = max(self.most, self.now)
            weakref.finalize(held, self._let_go, place, size)
        return held

    def _let_go(self, place: int, size: int) -> None:
        self.holders[place] -= 1
        if self.holders[place] == 0:
            self.now -= size


def peak_bytes(run: Callable[[], object], besides: Iterable[Tensor] = ()) -> int:
    """The most bytes that were held for a backward pass at one time while `run` ran.

    run: goes forward and backward, as often as it likes: windows one after the other, or parts computed again.
    besides: tensors that are there anyway and are not counted, weights and inputs.

    What a part that is computed again holds in the meantime is not seen where torch.utils.checkpoint does it, whose
    own hooks keep it: of it only what it begins with is counted. Measure such a part by itself, and add it.
    """
    account = _Account(besides)
    with torch.autograd.graph.saved_tensors_hooks(account.save, lambda held: held.tensor):
        run()
    return account.most


def against_length(run: Callable[[int], object], lengths: Sequence[int], besides: Iterable[Tensor] = ()) -> Memory:
    """`peak_bytes` of run(T) for each T of `lengths`, two or more different ones. OptionError for fewer."""
    if len(set(lengths)) < 2 or min(lengths) < 1:
        raise OptionError(f"two different lengths or more, each 1 or more, show how memory grows; {lengths} came")
    kept = list(besides)
    return Memory(tuple(lengths), tuple(peak_bytes(lambda T=T: run(T), kept) for T in lengths))


def cell_memory(
    cell: Cell,
    lengths: Sequence[int] = (64, 128, 256, 512, 1024),
    window: int = 32,
    rows: int = 4,
    kernel: str = choose.AUTO,
) -> dict[str, Memory]:
    """What one layer of `cell` holds on random input of (T, rows, F), the loss being the sum of all outputs.

    Three ways of training: "full"; "recomputed", with about √T states kept, and the inside of one segment of about √T
    steps, measured by itself, added (see layers/recomputation.py); and truncated to windows of `window` steps.
    OptionError where a length is not a whole number of windows.
    """
    if window < 1 or any(T % window for T in lengths):
        raise OptionError(f"each length must be a whole number of windows of {window} steps; {tuple(lengths)} came")
    full, recomputed = (
        Recurrent(lambda *_: cell, cell.input_size, (cell.hidden_size,), kernel=kernel, recompute=recompute)
        for recompute in (False, True)
    )
    weights = [p for p in cell.parameters() if p.requires_grad]
    dtype = next((p.dtype for p in weights), torch.get_default_dtype())
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    condition = draw(rows, cell.condition_size) if cell.condition_size else None
    x = draw(max(lengths), rows, cell.input_size)

    @torch.enable_grad()
    def train(layer: Recurrent, T: int, each: int) -> None:
        state = layer.initial_state(rows)
        for part in x[:T].split(each):
            output, state = layer(part, state, condition=condition)
            torch.autograd.grad(output.sum(), weights, allow_unused=True)
            state = states.detach(state)

    besides = [x, *cell.parameters()]
    kept = against_length(lambda T: train(recomputed, T, T), lengths, besides)
    segments = [math.ceil(math.sqrt(T)) for T in lengths]
    within = [peak_bytes(lambda steps=steps: train(full, steps, steps), besides) for steps in segments]
    return {
        "full": against_length(lambda T: train(full, T, T), lengths, besides),
        "recomputed": Memory(kept.lengths, tuple(a + b for a, b in zip(kept.bytes, within, strict=True))),
        f"truncated to {window}": against_length(lambda T: train(full, T, window), lengths, besides),
    }


def memory_curves(found: Mapping[str, Memory], title: str = "Bytes held for the backward pass") -> Curves:
    """One line a way of training, on logarithmic axes, with its slope in its name.

    A line that rises by a decade in a decade is memory O(T); a level one is O(1).
    """
    series = tuple(
        Series(
            f"{name}, slope {memory.slope():.2f}", tuple(map(float, memory.lengths)), tuple(map(float, memory.bytes))
        )
        for name, memory in found.items()
    )
    return Curves(title, series, "length T, steps", "bytes", x_log=True, y_log=True)
