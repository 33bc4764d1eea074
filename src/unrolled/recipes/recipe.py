"""The contract of a recipe: one file, one trainable experiment. Importing one does not import torch.

    RECIPE = Recipe(summary=…, source=…, Options=…, data=…, model=…, …)

The file's stem is its name: `char_lm.py` is `char-lm` on the command line. The command's flags and the lab's form
both come from `Options`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

import tyro

from unrolled.errors import OptionError
from unrolled.training.settings import Budget, NumberType

if TYPE_CHECKING:
    from unrolled.batch import Batch, Source
    from unrolled.models.model import Model


#: Types of options, with what the help shows for a value.
CellName = Annotated[str, tyro.conf.arg(metavar="CELL")]
Sizes = Annotated[tuple[int, ...], tyro.conf.arg(metavar="H [H ...]")]


@dataclass(frozen=True)
class Options:
    """What every recipe can be told. A recipe's own options are a frozen dataclass that extends this."""

    #: The options that may name a file: a run keeps where it is, whichever folder it is opened from.
    PATHS: ClassVar[tuple[str, ...]] = ("data",)

    data: Annotated[str, tyro.conf.arg(metavar="NAME|PATH|-")] = ""
    """A data set's name, a file, a folder, or - for standard input. Empty: the recipe's own."""
    cell: CellName = "lstm"
    """Any cell by name, or your own as package.module:Class."""
    kernel: Annotated[str, tyro.conf.arg(metavar="KERNEL")] = "auto"
    """auto, or a kernel by name, which then never gives way to another."""
    device: Annotated[str, tyro.conf.arg(metavar="NAME")] = "cpu"
    """cpu, or cuda where torch has it."""
    threads: int = 0
    """Threads for torch; 0 takes every core."""
    dtype: Literal["auto", "float32", "float64", "bfloat16"] = "auto"
    """auto: bfloat16 products where this machine has them in hardware and the recipe gains by it."""
    seed: int = 0
    """Everything random comes from it."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Budget in updates."""
    epochs: Annotated[float | None, tyro.conf.arg(metavar="N")] = None
    """Budget in passes over the training part."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="N")] = None
    """Budget in minutes, from the start of the process to the final weights."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            require(not isinstance(value, float) or math.isfinite(value), one.name, value, "a finite number")
        require(self.threads >= 0, "threads", self.threads, "0 (every core) or more")
        require(0 <= self.seed < 2**63, "seed", self.seed, "from 0 to 2^63 − 1")
        given = [name for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise OptionError(f"--{given[0]} and --{given[1]} are both budgets: give one of them")
        require(self.steps is None or self.steps >= 1, "steps", self.steps, "1 or more")
        for name in ("epochs", "minutes"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "above 0")

    def budget(self, usual: Budget) -> Budget:
        """The one that was given, or else the recipe's usual one."""
        given = Budget(self.steps, self.epochs, self.minutes)
        return usual if given == Budget() else given

    def number_type(self, automatic: NumberType) -> NumberType:
        """The one that was given, or else what `auto` means to the recipe."""
        return automatic if self.dtype == "auto" else self.dtype


def require(holds: bool, option: str, value: object, expected: str) -> None:
    """OptionError naming the flag, what came and what was expected, unless `holds`."""
    if not holds:
        raise OptionError(f"--{option.replace('_', '-')} {value}: expected {expected}")


@dataclass(frozen=True)
class Data:
    """What a recipe's `data` gives.

    train: the source that the loop draws from.
    held_out: "valid" and "test" → whatever this recipe's `metric` wants.
    assets: plain JSON data that the model and its verbs need without the data set (a vocabulary): kept in the run.
    summary: one line for a person: what was read, how much, how it was split.
    digest: SHA-256 of what was read.
    """

    train: Source
    held_out: Mapping[str, Any]
    assets: Mapping[str, Any]
    summary: str
    digest: str


class Decoder(Protocol):
    """Symbols to text, one at a time: a symbol that is only part of a character gives an empty piece."""

    def feed(self, symbol: int) -> str: ...


@dataclass(frozen=True)
class Writing:
    """How a model's symbols are text, for every verb that writes.

    encode(prompt) → symbols, PromptError where the model does not know one; an empty prompt gives what a text starts
        from, so that there is always one symbol at least.
    decoder() → a Decoder for one text.
    end: the symbol that ends a text; None where texts go on for ever.
    """

    encode: Callable[[str], list[int]]
    decoder: Callable[[], Decoder]
    end: int | None = None


@dataclass(frozen=True)
class Classifying:
    """How a classifier's texts are read, for every verb that takes people's own.

    tokens(text) → the pieces that are read one by one. batch(texts in tokens) → a Batch with the field `inputs`.
    classes: their names, in the order of the model's logits. column: of the table that was learnt from, that of its
        texts; empty where it was no table.
    """

    tokens: Callable[[str], list[str]]
    batch: Callable[[Sequence[Sequence[str]]], Batch]
    classes: tuple[str, ...]
    column: str = ""


@dataclass(frozen=True)
class Tagging:
    """How a tagger's sentences are read, for every verb that takes people's own.

    batch(sentences in words) → a Batch with what the model reads. columns: (name, its tags) of each column of tags, in
    the order of the model's answer. word: the column in which files of this kind have their words, from 1.
    """

    batch: Callable[[Sequence[Sequence[str]]], Batch]
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    word: int


@dataclass(frozen=True)
class Recipe:
    """One trainable experiment.

    summary: one line. source: paper or lecture, with its figure.
    data(options, folder, assets) → Data: `folder` is the run's, where a text from standard input is kept; assets are
        those of the run that is resumed or fine-tuned, None for a new one.
    model(options, assets) → Model, weights at their start.
    metric(model, held_out part) → name → value. The first decides which checkpoint is best, and lower is better in it;
        the others may be anything, an accuracy for example.
    settings(options) → training.settings.Settings.
    sample(model, assets, seed) → a short text that shows what the model makes; None where nothing is drawn.
    writing(assets) → Writing, for models over symbols of a text; classifying(assets) → Classifying and tagging(assets)
        → Tagging, for those that class texts and tag words; None for others.
    used_by: what follows `unrolled` to use a run, RUN standing for it; empty for those that write, which `sample` does,
        and for those that are only measured.
    target: figure name → the bar, as text ("<= 1.45"), for the figures of `metric` on the test part.
    unit: of those figures; units: figure name → unit, of those that have another.
    peers: (name, value, source) of others' figures for the same thing, in `unit`.
    target_data: what `--data` may say for target and peers to be about it; "" where it says nothing.
    """

    summary: str
    source: str
    Options: type[Options]
    data: Callable[[Any, Path, Mapping[str, Any] | None], Data]
    model: Callable[[Any, Mapping[str, Any]], Model]
    metric: Callable[[Any, Any], dict[str, float]]
    settings: Callable[[Any], Any]
    sample: Callable[[Any, Mapping[str, Any], int], str] | None = None
    writing: Callable[[Mapping[str, Any]], Writing] | None = None
    classifying: Callable[[Mapping[str, Any]], Classifying] | None = None
    tagging: Callable[[Mapping[str, Any]], Tagging] | None = None
    used_by: str = ""
    target: Mapping[str, str] = field(default_factory=dict)
    target_data: tuple[str, ...] = ("",)
    unit: str = "nats"
    units: Mapping[str, str] = field(default_factory=dict)
    peers: tuple[tuple[str, float, str], ...] = ()

    def use(self, run: str) -> str:
        """What follows `unrolled` to use the run of that name; empty where its recipe is only measured."""
        return (self.used_by or ("sample RUN" if self.writing else "")).replace("RUN", run)

    def bars(self, options: Options) -> Mapping[str, str]:
        """The target, where a run of these options learnt what it is for; on people's own data it says nothing."""
        return self.target if options.data in self.target_data else {}
