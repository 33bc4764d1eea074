"""`min-char-rnn`: Karpathy's published 112-line model, step for step.

One-hot characters, one Elman layer of 100 units, windows of 25 with the state carried, weights drawn from N(0, 0.01²),
biases at zero, the window's losses summed, gradients clipped to ±5 one by one, Adagrad with rate 0.1, the state zeroed
at the start of each pass. The first loss is 25·ln V, but for the small first weights: 107.60 for V = 74.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from unrolled.recipes import language
from unrolled.recipes.recipe import CellName, Data, Options, Recipe, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel


@dataclass(frozen=True)
class MinCharRNNOptions(Options):
    """Options of min-char-rnn. The defaults are the published ones."""

    cell: CellName = "elman"
    encoding: Annotated[str, tyro.conf.arg(metavar="NAME")] = "utf-8"
    """How the text's bytes are to be read."""
    hidden: int = 100
    """Hidden units."""
    window: int = 25
    """Steps through which gradients flow; the state is carried on."""
    rate: float = 0.1
    """Adagrad's learning rate."""
    clip_value: float = 5.0
    """Each gradient is cut to ± this; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.hidden >= 1, "hidden", self.hidden, "1 or more")
        require(self.window >= 1, "window", self.window, "1 or more")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.clip_value >= 0, "clip_value", self.clip_value, "0 (none) or more")


def data(options: MinCharRNNOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.corpus import load_corpus
    from unrolled.data.streams import Streams
    from unrolled.data.vocabulary import vocabulary_from_assets

    corpus = load_corpus(
        language.text_files(options.data, "", folder),
        symbols="characters",
        encoding=options.encoding,
        vocabulary=None if assets is None else vocabulary_from_assets(assets["vocabulary"]),
    )
    # The published program holds nothing out: its figure is the training loss, smoothed.
    return Data(
        # The published loop starts anew where a window would end at the text's very last character.
        train=Streams(corpus.ids[:-1], 1, options.window, options.seed, offsets=False),
        held_out={},
        assets={"vocabulary": corpus.vocabulary.to_assets()},
        summary=corpus.summary,
        digest=corpus.digest,
    )


def model(options: MinCharRNNOptions, assets: Mapping[str, Any]) -> LanguageModel:
    import torch

    from unrolled.cells import registry
    from unrolled.data.vocabulary import vocabulary_from_assets
    from unrolled.models.language_model import LanguageModel

    size = vocabulary_from_assets(assets["vocabulary"]).size
    made = LanguageModel(registry.find(options.cell), size, 0, (options.hidden,), kernel=options.kernel)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.01)
            else:
                parameter.zero_()
    return made


def settings(options: MinCharRNNOptions) -> Settings:
    return Settings(
        budget=options.budget(Budget(minutes=5)),
        optimiser="adagrad",
        rate=options.rate,
        warmup_steps=0,
        decay="constant",
        clip_norm=0.0,
        clip_value=options.clip_value,
        reduction="rows",
        dtype=options.number_type("float32"),
        seed=options.seed,
    )


RECIPE = Recipe(
    summary="Karpathy's min-char-rnn, step for step: 100 units, 25 steps, Adagrad",
    source="Karpathy 2015, min-char-rnn (gist d4dee566867f8291f086)",
    Options=MinCharRNNOptions,
    data=data,
    model=model,
    metric=language.held_out_losses,
    settings=settings,
    sample=language.sample_text,
    writing=language.writing,
)
