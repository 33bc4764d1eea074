"""The whole training step of a character model, with its softmax and its optimiser, as char-rnn took it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.contest import Agreement, Contest, Goal, Point, agreement
from benchmarks.training import GATES, flops
from unrolled.interchange.torch_modules import from_torch

SUMMARY = "a character model's whole update, V = 65, 50 rows of 50 steps, beside torch's layers in the same model"
SYMBOLS, EMBEDDING, ROWS, STEPS = 65, 64, 50, 50
KINDS: dict[str, type[nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU}
GOALS = (Goal("nn.LSTM", ">= 1.4"), Goal("nn.GRU", ">= 1.8"))


class Model(nn.Module):
    """Embedding, a stack (torch's or ours, which take the same call), softmax."""

    def __init__(self, layers: nn.Module, embedding: Tensor, readout: nn.Linear) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(embedding.clone(), freeze=False)
        self.layers = layers
        self.readout = nn.Linear(readout.in_features, readout.out_features)
        self.readout.load_state_dict(readout.state_dict())

    def forward(self, symbols: Tensor, following: Tensor) -> Tensor:
        output, _ = self.layers(self.embedding(symbols))
        return nn.functional.cross_entropy(self.readout(output).flatten(0, 1), following.flatten())


def points() -> Iterator[Point]:
    for threads, kind, H, layers in itertools.product((1, 2), KINDS, (64, 128, 256, 512), (1, 2, 3)):
        places = {"H": H, "layers": layers}
        yield Point(f"{kind} step", places, partial(contest, kind, H, layers), threads)


def contest(kind: str, H: int, layers: int) -> Contest:
    module, readout, embedding = (
        KINDS[kind](EMBEDDING, H, layers),
        nn.Linear(H, SYMBOLS),
        torch.randn(SYMBOLS, EMBEDDING),
    )
    text = torch.randint(SYMBOLS, (STEPS + 1, ROWS))
    ours, theirs = (Model(stack, embedding, readout) for stack in (from_torch(module), module))
    return Contest(
        trainer(ours, text),
        {f"nn.{kind}": {"float32": trainer(theirs, text)}},
        partial(agreements, ours, theirs, text),
        # No gradient goes on to the embedding, which is given.
        flops=flops(module, STEPS, ROWS) + STEPS * ROWS * H * (6 * SYMBOLS - 2 * GATES[KINDS[kind]] * EMBEDDING),
    )


def trainer(model: Model, text: Tensor) -> Callable[[], None]:
    """One update a call."""
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)

    def update() -> None:
        optimiser.zero_grad()
        model(text[:-1], text[1:]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()

    return update


def agreements(ours: Model, theirs: Model, text: Tensor) -> Iterable[Agreement]:
    found = []
    for model, dtype in ((ours, torch.float32), (theirs, torch.float32), (theirs, torch.float64)):
        model.to(dtype)
        loss = model(text[:-1], text[1:])
        weights = (model.embedding.weight, model.readout.weight)
        found.append([loss, *torch.autograd.grad(loss, weights)])
    theirs.float()
    names = ("the loss", "the gradient of the embedding", "the gradient of the readout")
    for what, own, other, exact in zip(names, *found, strict=True):
        yield agreement(what, own, other, exact)
