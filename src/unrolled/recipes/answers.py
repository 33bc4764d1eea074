"""What the recipes share whose models answer instead of writing: options, settings, how answers are measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from unrolled.errors import OptionError
from unrolled.recipes.recipe import Options, Sizes, Tagging, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.batch import Batch
    from unrolled.models.answering import AnsweringModel
    from unrolled.models.word_tagger import WordTagger

#: Parts of generated data that are held out, and what a sample shows.
VALID, TEST, SHOWN = 0, 1, 2


@dataclass(frozen=True)
class AnswerOptions(Options):
    """Options of all of them. A recipe's own class gives its defaults."""

    sizes: Sizes = (128,)
    """Hidden units of each layer."""
    dropout: float = 0.0
    """On the embedding, between layers and before the output."""
    batch_size: int = 64
    """Sequences side by side."""
    rate: float = 2e-3
    """AdamW's highest learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to nothing over the budget."""
    warmup: int = 50
    """Steps in which the rate rises to its height."""
    weight_decay: float = 0.0
    """Decoupled, on matrices."""
    clip: float = 1.0
    """The gradient's greatest norm; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.sizes) > 0 and min(self.sizes) >= 1, "sizes", self.sizes, "one or more sizes of 1 or more")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 (none) or more")


def refuse_data(options: Options, recipe: str) -> None:
    """OptionError where `--data` was given to a recipe that draws its own."""
    if options.data:
        raise OptionError(f"--data {options.data}: {recipe} draws its own examples; leave --data out")


def settings(options: AnswerOptions, default: Budget) -> Settings:
    """Settings of the options; `default` is the budget where none is given."""
    return Settings(
        budget=options.budget(default),
        rate=options.rate,
        decay=options.decay,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        clip_norm=options.clip,
        dtype=options.number_type("float32"),
        seed=options.seed,
    )


class Measured(NamedTuple):
    """A held-out batch, what the model said of it, and the loss of that: a sum, and what it counts."""

    batch: Batch
    answer: Tensor
    total: float
    count: int


def measured(model: AnsweringModel, batches: Iterable[Batch]) -> Iterator[Measured]:
    """Each batch from zero state, in evaluation mode and without gradients, on the model's device and in its dtype."""
    import torch

    weight = next(model.parameters())

    def move(tensor: Tensor) -> Tensor:
        return tensor.to(weight.device, weight.dtype if tensor.is_floating_point() else tensor.dtype)

    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                moved = batch.map(move)
                answer = model.predict(moved)
                total, count = model.score(answer, moved)
                yield Measured(moved, answer, float(total), int(count))
    finally:
        model.train(was_training)


def probabilities(model: AnsweringModel, batch: Batch) -> Tensor:
    """(B, classes): what a classifier gives each class, in evaluation mode and without gradients."""
    import torch

    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.inference_mode():
            return model.predict(batch.map(lambda tensor: tensor.to(device))).softmax(-1).cpu()
    finally:
        model.train(was_training)


def tags(model: WordTagger, reading: Tagging, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, ...]]]:
    """For each word of each sentence its tags, one of each column."""
    import torch

    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.inference_mode():
            batch = reading.batch(sentences).map(lambda tensor: tensor.to(device))
            best = model.best(model.predict(batch), batch.ragged("inputs").lengths)
    finally:
        model.train(was_training)
    named = [tags for _, tags in reading.columns]
    return [
        [tuple(own[tag] for own, tag in zip(named, word, strict=True)) for word in best[: len(sentence), row].tolist()]
        for row, sentence in enumerate(sentences)
    ]


class Share:
    """How many of what was asked were answered rightly, counted over batches."""

    def __init__(self) -> None:
        self.right = self.asked = 0

    def add(self, right: Tensor, asked: Tensor) -> None:
        """Two fields of true and false; what is not asked does not count."""
        self.right += int((right & asked).sum())
        self.asked += int(asked.sum())

    def percent(self) -> float:
        """0 where nothing was asked."""
        return 100 * self.right / max(1, self.asked)


def digest(*what: object) -> str:
    """SHA-256 of what says how generated data are made: they have no bytes of their own."""
    return hashlib.sha256(repr(what).encode()).hexdigest()
