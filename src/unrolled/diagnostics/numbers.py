"""Every number of a small language model while it reads: the unrolled network, one column a step.

h_t = the cell of (h_{t−1}, x_t)      y_t = V h_t + c      p_t = softmax(y_t)      loss = −Σ_t ln p_t[s_{t+1}]
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.errors import DataError
from unrolled.figures import Table
from unrolled.models.language_model import LanguageModel


def step_table(model: LanguageModel, symbols: Tensor, names: Sequence[str]) -> Table:
    """Input, hidden units, logits, probabilities and loss of each step over `symbols` (T,) int64, T ≥ 2.

    names: of the vocabulary's symbols. Rows are x, one-hot, then h of each layer, y, p; every column is a step.
    DataError for fewer than two symbols.
    """
    if symbols.dim() != 1 or len(symbols) < 2:
        raise DataError(f"a text of 2 symbols or more, (T,), was expected; {tuple(symbols.shape)} came")
    steps = range(len(symbols) - 1)
    with torch.no_grad():
        read = model.read(symbols[:-1, None], model.initial_state(1))
    log_p = torch.log_softmax(read.logits[:, 0], -1)
    rows: list[list[str]] = [["input letter", *(names[int(symbols[t])] for t in steps)]]
    rows += [[f"x  {name}", *(f"{int(symbols[t] == k)}" for t in steps)] for k, name in enumerate(names)]
    layers = [traces[0].output[:, 0] for traces in read.traces]
    for number, hidden in enumerate(layers, 1):
        letter = "h" if len(layers) == 1 else f"h{number}"
        rows += [[f"{letter}  {j + 1}", *(f"{hidden[t, j]:.3f}" for t in steps)] for j in range(hidden.shape[1])]
    rows += [[f"y  {name}", *(f"{read.logits[t, 0, k]:.3f}" for t in steps)] for k, name in enumerate(names)]
    rows += [[f"p  {name}", *(f"{log_p[t, k].exp():.3f}" for t in steps)] for k, name in enumerate(names)]
    losses = [-float(log_p[t, int(symbols[t + 1])]) for t in steps]
    rows += [["target letter", *(names[int(symbols[t + 1])] for t in steps)]]
    rows += [["−ln p[target]", *(f"{loss:.4f}" for loss in losses)]]
    return Table(
        title=f"loss = −Σ ln p[target] = {sum(losses):.4f} nats",
        columns=("", *(f"step {t + 1}" for t in steps)),
        rows=tuple(tuple(row) for row in rows),
    )
