"""`hello`: the four-letter model of the lecture, with every number in sight.

The vocabulary is h, e, l, o; the one training sequence is "hello": after h comes e, after e l, after that l another,
and after this one o: the network must remember, since the same letter has two successors.

    h_t = tanh(W h_{t-1} + U x_t + b)      y_t = V h_t + c      p_t = softmax(y_t)      loss = −Σ_t ln p_t[next letter]
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.errors import OptionError, PromptError
from unrolled.figures import Cell, Table
from unrolled.recipes.recipe import CellName, Data, Options, Recipe, Writing, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.models.language_model import LanguageModel

#: In the lecture's order, which is that of its one-hot vectors.
LETTERS = "helo"


@dataclass(frozen=True)
class HelloOptions(Options):
    """Options of hello."""

    cell: CellName = "elman"
    word: Annotated[str, tyro.conf.arg(metavar="WORDS")] = "hello"
    """The word to learn, of two letters or more."""
    hidden: int = 3
    """Hidden units."""
    rate: float = 0.1
    """Adagrad's learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data:
            raise OptionError(f"--data {self.data}: hello learns one word: give --word, or train char-lm on a text")
        require(len(self.word) >= 2, "word", repr(self.word), "a word of two letters or more")
        require(self.hidden >= 1, "hidden", self.hidden, "1 or more")
        require(self.rate > 0, "rate", self.rate, "above 0")


class OneWord:
    """The same window for ever: the word without its last letter, and without its first."""

    batch_size = 1
    batches_per_epoch = 1
    unit = "characters"

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def batch(self, number: int) -> Batch:
        import torch

        from unrolled.batch import Batch

        ids = torch.tensor(self.ids)[:, None]
        return Batch({"symbols": ids[:-1], "targets": ids[1:]}, rows=(0, 1), origin=f"time {number} round the word")

    def for_rows(self, first: int, count: int) -> OneWord:
        raise OptionError("hello has one row: train it in one process")


def data(options: HelloOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    word = options.word
    letters = LETTERS if set(word) <= set(LETTERS) else "".join(dict.fromkeys(word))
    source = OneWord([letters.index(letter) for letter in word])
    return Data(
        train=source,
        held_out={"valid": source, "test": source},
        assets={"word": word, "letters": letters},
        summary=f"{word!r}, {len(letters)} letters: {' '.join(letters)}",
        digest=hashlib.sha256(word.encode()).hexdigest(),
    )


def model(options: HelloOptions, assets: Mapping[str, Any]) -> LanguageModel:
    from unrolled.cells import registry
    from unrolled.models.language_model import LanguageModel

    return LanguageModel(
        registry.find(options.cell), len(assets["letters"]), 0, (options.hidden,), kernel=options.kernel
    )


def metric(model: LanguageModel, part: OneWord) -> dict[str, float]:
    """The word's own loss: there is nothing to hold out of one word."""
    from unrolled.recipes.language import mean_loss

    return {"loss on the word": mean_loss(model, [part.batch(0)])}


def settings(options: HelloOptions) -> Settings:
    return Settings(
        budget=options.budget(Budget(steps=200)),
        optimiser="adagrad",
        rate=options.rate,
        warmup_steps=0,
        decay="constant",
        clip_norm=0.0,
        clip_value=5.0,
        reduction="rows",
        dtype=options.number_type("float32"),
        seed=options.seed,
    )


def numbers(model: LanguageModel, assets: Mapping[str, Any]) -> Table:
    """Every number of the network unrolled over the word: a column a step, a row a unit, as the lecture has it."""
    import torch

    from unrolled.diagnostics.numbers import step_table

    word, letters = assets["word"], assets["letters"]
    return step_table(model, torch.tensor([letters.index(letter) for letter in word]), letters)


def plain(table: Table) -> str:
    """A table as lines of text, columns aligned, its title last."""
    cells = [list(table.columns), *([_short(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(table.columns))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, table.title])


def _short(cell: Cell) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


class LetterDecoder:
    """A symbol is a letter, whole."""

    def __init__(self, letters: str) -> None:
        self.letters = letters

    def feed(self, symbol: int) -> str:
        return self.letters[symbol]


def writing(assets: Mapping[str, Any]) -> Writing:
    """Letters of the word; an empty prompt is its first."""
    letters, word = assets["letters"], assets["word"]

    def encode(prompt: str) -> list[int]:
        for place, letter in enumerate(prompt, 1):
            if letter not in letters:
                raise PromptError(f"character {place} of the prompt is {letter!r}; the model knows {' '.join(letters)}")
        return [letters.index(letter) for letter in prompt or word[0]]

    return Writing(encode, lambda: LetterDecoder(letters))


def sample(model: LanguageModel, assets: Mapping[str, Any], seed: int) -> str:
    """The word as the model writes it on from its first letter, then every number and every weight."""
    from unrolled.diagnostics.numbers import weight_tables
    from unrolled.recipes.language import write

    word = assets["word"]
    written = word[0] + write(model, writing(assets), seed, len(word) - 1, word[0], temperature=0.0)
    tables = [numbers(model, assets), *weight_tables(model)]
    return "\n\n".join([f"after {word[0]!r} it writes {written!r}", *(plain(table) for table in tables)])


RECIPE = Recipe(
    summary="The four-letter model of the lecture, every number printed",
    source="Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks: the worked example",
    Options=HelloOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    writing=writing,
    target={"loss on the word": "<= 0.05"},
)
