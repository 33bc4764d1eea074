"""Every number of a small language model while it reads: the unrolled network, one column a step.

h_t = the cell of (h_{t−1}, x_t)      y_t = V h_t + c      p_t = softmax(y_t)      loss = −Σ_t ln p_t[s_{t+1}]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from unrolled.errors import DataError
from unrolled.figures import Cell, Table
from unrolled.models.language_model import LanguageModel

#: What the letters of the equations are called in a model.
_LETTERS = {"embedding.weight": "E", "softmax.weight": "V", "softmax.bias": "c"}


def step_table(model: LanguageModel, symbols: Tensor, names: Sequence[str]) -> Table:
    """Input, hidden units, logits, probabilities and loss of each step over `symbols` (T,) int64, T ≥ 2.

    names: of the vocabulary's symbols. Rows are x, one-hot, then h of each layer, y, p; every column is a step.
    DataError for fewer than two symbols.
    """
    if symbols.dim() != 1 or len(symbols) < 2:
        raise DataError(f"a text of 2 symbols or more, (T,), was expected; {tuple(symbols.shape)} came")
    steps = range(len(symbols) - 1)
    with torch.no_grad():
        read = model.read(symbols[:-1, None].to(next(model.parameters()).device), model.initial_state(1))
    log_p = torch.log_softmax(read.logits[:, 0], -1)
    losses = [0.0 - float(log_p[t, int(symbols[t + 1])]) for t in steps]
    layers = [traces[0].output[:, 0] for traces in read.traces]
    rows: list[tuple[Cell, ...]] = [
        ("input letter", *(names[int(symbols[t])] for t in steps)),
        *((f"x  {name}", *(int(symbols[t] == k) for t in steps)) for k, name in enumerate(names)),
    ]
    for number, hidden in enumerate(layers, 1):
        letter = "h" if len(layers) == 1 else f"h{number}"
        rows += _rows(letter, range(1, hidden.shape[1] + 1), hidden)
    rows += [*_rows("y", names, read.logits[:, 0]), *_rows("p", names, log_p.exp())]
    rows += [("target letter", *(names[int(symbols[t + 1])] for t in steps)), ("−ln p[target]", *losses)]
    return Table(
        title=f"loss = −Σ ln p[target] = {sum(losses):.4f} nats",
        columns=("", *(f"step {t + 1}" for t in steps)),
        rows=tuple(rows),
    )


def _rows(letter: str, names: Iterable[object], values: Tensor) -> list[tuple[Cell, ...]]:
    """One row for each column of values (T, n)."""
    return [(f"{letter}  {name}", *column) for name, column in zip(names, values.t().tolist(), strict=True)]


def weight_tables(model: LanguageModel) -> list[Table]:
    """One table a parameter: U, W, b of each cell, V and c of the softmax, and E of the embedding, where there is one.

    A row an output, a column an input, both counted from 1. Where there are several layers, a cell's letters carry
    the layer's number, from 1.
    """
    tables = []
    for name, parameter in model.named_parameters():
        matrix = parameter.detach().reshape(parameter.shape[0], -1)
        letter = _LETTERS.get(name) or _letter_of_cell(name, len(model.recurrent.cells()))
        tables.append(
            Table(
                title=f"{letter}: {' × '.join(str(size) for size in parameter.shape)}",
                columns=("", *(str(j + 1) for j in range(matrix.shape[1]))),
                rows=tuple((f"{letter} {i + 1}", *row) for i, row in enumerate(matrix.tolist())),
            )
        )
    return tables


def _letter_of_cell(name: str, layers: int) -> str:
    """recurrent.layers.0.0.U is U, or U1 where there are several layers."""
    parts = name.split(".")
    return f"{parts[-1]}{int(parts[2]) + 1}" if layers > 1 and parts[:2] == ["recurrent", "layers"] else parts[-1]
