"""The contract of a recipe: one file, one trainable experiment. Importing one does not import torch.

    RECIPE = Recipe(summary=…, source=…, Options=…, data=…, model=…, …)

The file's stem is its name: `char_lm.py` is `char-lm` on the command line. The command's flags and the lab's form
both come from `Options`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from unrolled.batch import Source
    from unrolled.models.model import Model


@dataclass(frozen=True)
class Options:
    """What every recipe can be told. A recipe's own options are a frozen dataclass that extends this."""

    data: Annotated[str, tyro.conf.arg(metavar="NAME|PATH|-")] = ""
    """A data set's name, a file, a folder, or - for standard input. Empty: the recipe's own."""
    cell: str = "lstm"
    """Any cell by name, or your own as package.module:Class."""
    kernel: str = "auto"
    """auto, or a kernel by name, which then never gives way to another."""
    device: str = "cpu"
    """cpu, or cuda where torch has it."""
    threads: int = 0
    """Threads for torch; 0 takes every core."""
    dtype: Literal["auto", "float32", "float64", "bfloat16"] = "auto"
    """auto: bfloat16 products where this machine has them in hardware and the recipe gains by it."""
    seed: int = 0
    """Everything random comes from it."""
    steps: int | None = None
    """Budget in updates."""
    epochs: float | None = None
    """Budget in passes over the training part."""
    minutes: float | None = None
    """Budget in minutes, from the start of the process to the final weights."""


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


@dataclass(frozen=True)
class Recipe:
    """One trainable experiment.

    summary: one line. source: paper or lecture, with its figure.
    data(options, folder) → Data: `folder` is the run's, where a text from standard input is kept.
    model(options, assets) → Model, weights at their start.
    metric(model, held_out part) → name → value, lower is better, the first decides which checkpoint is best.
    settings(options) → training.settings.Settings.
    sample(model, assets, seed) → a short text that shows what the model makes; None where nothing is drawn.
    target: figure name → the bar, as text ("<= 1.45"), for the figures of `metric` on the test part.
    """

    summary: str
    source: str
    Options: type[Options]
    data: Callable[[Any, Any], Data]
    model: Callable[[Any, Mapping[str, Any]], Model]
    metric: Callable[[Model, Any], dict[str, float]]
    settings: Callable[[Any], Any]
    sample: Callable[[Model, Mapping[str, Any], int], str] | None = None
    target: Mapping[str, str] = field(default_factory=dict)
