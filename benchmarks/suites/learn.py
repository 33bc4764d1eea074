"""What is learnt in so many minutes on the same cores: this package's char-lm beside a Transformer and a plain LSTM.

Each has the same text (tiny Shakespeare, its last tenth held out), the same threads and the same minutes of training;
what they take to be judged does not count. Each mark is a training of its own, whose rates fall over those minutes.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import unrolled
from benchmarks.protocol import Effort
from unrolled import figures
from unrolled.data import named
from unrolled.data.vocabulary import vocabulary_from_assets
from unrolled.errors import UserError
from unrolled.workshop.results import Figure

SUMMARY = "Tiny Shakespeare: held-out nats a character after so many minutes, beside a Transformer and a plain nn.LSTM"
TEXT = "tinyshakespeare"
#: Marks in seconds, of which those up to --seconds are run.
MARKS = (60.0, 180.0, 300.0, 600.0)
SECONDS = MARKS[-1]
#: Of the text, the part that is held out.
HELD_OUT = 0.1


def measure(effort: Effort) -> Iterator[Figure | figures.Figure]:
    if named.locate(TEXT) is None:
        raise UserError(f"the text is not here: unrolled data get {TEXT} fetches it")
    text = named.find(TEXT).read_text(encoding="utf-8")
    symbols, ids = np.unique(np.array(list(text)), return_inverse=True)
    cut = round(len(ids) * (1 - HELD_OUT))
    train, held_out = torch.from_numpy(ids[:cut]).long(), torch.from_numpy(ids[cut:]).long()
    marks = [mark for mark in MARKS if mark <= effort.seconds] or [effort.seconds]
    found: dict[str, list[float]] = {}
    for mark in marks:
        for name, learnt in (
            ("Unrolled's char-lm", by_unrolled(mark, text[cut:])),
            ("a Transformer", by_peer(Transformer(len(symbols)), mark, train, held_out)),
            ("a plain nn.LSTM", by_peer(PlainLSTM(len(symbols)), mark, train, held_out)),
        ):
            found.setdefault(name, []).append(learnt)
            yield Figure(f"{name}, after {mark:g} s", "nats a character", (round(learnt, 4),))
        ours, *theirs = (losses[-1] for losses in found.values())
        yield Figure(
            f"how far below the better of them, after {mark:g} s", "nats", (round(min(theirs) - ours, 4),), "> 0"
        )
    series = tuple(figures.Series(name, tuple(marks), tuple(losses)) for name, losses in found.items())
    yield figures.Curves(
        "Tiny Shakespeare after so many seconds", series, "seconds of training", "held-out loss, nats a character", True
    )


def by_unrolled(seconds: float, text: str) -> float:
    """char-lm as it comes, for this budget; judged in one go over the held-out text, the state carried.

    Its own split holds out the same end of the text, which it does not look at while it trains.
    """
    with tempfile.TemporaryDirectory() as runs:
        run = unrolled.train(
            "char-lm",
            data=TEXT,
            minutes=seconds / 60,
            threads=torch.get_num_threads(),
            runs=runs,
        )
    model = run.model.eval()
    held_out = torch.from_numpy(vocabulary_from_assets(run.assets["vocabulary"]).encode(text)).long()
    state, total = model.initial_state(1), 0.0
    with torch.inference_mode():
        for first in range(0, len(held_out) - 1, 4096):
            window = held_out[first : first + 4097]
            logits, state, _ = model.read(window[:-1, None], state)
            total += float(F.cross_entropy(logits.flatten(0, 1), window[1:], reduction="sum"))
    return total / (len(held_out) - 1)


def by_peer(model: Transformer | PlainLSTM, seconds: float, train: Tensor, held_out: Tensor) -> float:
    """AdamW with a warm-up and a cosine over the time given, as nanoGPT has it, and the loss on the held-out text."""
    torch.manual_seed(1337)
    optimiser = torch.optim.AdamW(model.parameters(), lr=model.RATE, betas=(0.9, 0.99), weight_decay=0.1)
    starts = torch.arange(model.CONTEXT + 1)[:, None]
    began = time.perf_counter()
    model.train()
    while (share := (time.perf_counter() - began) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = model.RATE * min(1.0, share / 0.05) * (0.55 + 0.45 * math.cos(math.pi * share))
        window = train[starts + torch.randint(len(train) - model.CONTEXT, (model.ROWS,))]
        loss = F.cross_entropy(model(window[:-1]).flatten(0, 1), window[1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.eval()
    with torch.inference_mode():
        return model.judge(held_out)


class Transformer(nn.Module):
    """nanoGPT's setting for a CPU: 4 layers, 4 heads, width 128, context 64, batch 12, no dropout, no biases."""

    CONTEXT, ROWS, RATE, LAYERS, HEADS, WIDTH = 64, 12, 1e-3, 4, 4, 128

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.symbol = nn.Embedding(symbols, self.WIDTH)
        self.place = nn.Embedding(self.CONTEXT, self.WIDTH)
        self.blocks = nn.ModuleList([Block(self.WIDTH, self.HEADS) for _ in range(self.LAYERS)])
        self.norm = nn.LayerNorm(self.WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                out = name.endswith("out.weight")  # what is added to the residual stream starts smaller
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * self.LAYERS) if out else 0.02)

    def forward(self, window: Tensor) -> Tensor:
        """window (T, B) → logits (T, B, V); the embedding's weights are those of the softmax."""
        y = self.symbol(window.T) + self.place.weight[: len(window)]
        for block in self.blocks:
            y = block(y)
        return (self.norm(y) @ self.symbol.weight.T).transpose(0, 1)

    def judge(self, text: Tensor) -> float:
        """nats a character over windows of the context, side by side, as it was trained and as nanoGPT judges."""
        count = (len(text) - 1) // self.CONTEXT
        x, y = (text[k : k + count * self.CONTEXT].view(count, self.CONTEXT).T for k in (0, 1))
        losses = [
            F.cross_entropy(self(x[:, k : k + 64]).flatten(0, 1), y[:, k : k + 64].flatten(), reduction="sum")
            for k in range(0, count, 64)
        ]
        return float(sum(losses)) / (count * self.CONTEXT)


class Block(nn.Module):
    """Attention and a perceptron, each on a normalised copy and added to what it read."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width, bias=False) for _ in range(2)])
        self.attention = nn.ModuleDict(
            {"into": nn.Linear(width, 3 * width, False), "out": nn.Linear(width, width, False)}
        )
        self.perceptron = nn.ModuleDict(
            {"into": nn.Linear(width, 4 * width, False), "out": nn.Linear(4 * width, width, False)}
        )

    def forward(self, y: Tensor) -> Tensor:
        parts = self.attention["into"](self.norms[0](y)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        read = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        y = y + self.attention["out"](read.transpose(1, 2).flatten(2))
        return y + self.perceptron["out"](F.gelu(self.perceptron["into"](self.norms[1](y))))


class PlainLSTM(nn.Module):
    """The usual char-rnn in torch, with torch-rnn's sizes: two layers of 128, windows of 50, batch 50."""

    CONTEXT, ROWS, RATE, WIDTH, LAYERS = 50, 50, 2e-3, 128, 2

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.symbol = nn.Embedding(symbols, 64)
        self.lstm = nn.LSTM(64, self.WIDTH, self.LAYERS)
        self.softmax = nn.Linear(self.WIDTH, symbols)

    def forward(self, window: Tensor) -> Tensor:
        """window (T, B) → logits (T, B, V)."""
        return self.softmax(self.lstm(self.symbol(window))[0])

    def judge(self, text: Tensor) -> float:
        """nats a character in one go, the state carried, as ours is judged."""
        state, total = None, 0.0
        for first in range(0, len(text) - 1, 4096):
            window = text[first : first + 4097]
            output, state = self.lstm(self.symbol(window[:-1, None]), state)
            total += float(F.cross_entropy(self.softmax(output).flatten(0, 1), window[1:], reduction="sum"))
        return total / (len(text) - 1)
