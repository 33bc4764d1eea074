"""What the recipes share that train a language model on one long text: options, model, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.recipes.recipe import CellName, Options, Sizes, require
from unrolled.training.hardware import automatic_dtype
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel

FIVE_MINUTES = Budget(minutes=5)


@dataclass(frozen=True)
class LanguageModelOptions(Options):
    """Options of all of them. The defaults are those of char-lm: see docs/char-lm.md."""

    cell: CellName = "gru"
    encoding: Annotated[str, tyro.conf.arg(metavar="NAME")] = "utf-8"
    """How the text's bytes are to be read."""
    split: Annotated[tuple[float, float, float], tyro.conf.arg(metavar="TRAIN VALID TEST")] = (0.895, 0.005, 0.1)
    """Parts by position. The last is read by `evaluate` alone."""
    n_gram: int = 0
    """Order of the n-gram that `evaluate` measures on the test part, beside the network; 0: none."""
    embedding: int = 64
    """Features of a symbol; 0 feeds it one-hot."""
    sizes: Sizes = (256, 256, 256)
    """Hidden units of each layer."""
    connections: Literal["plain", "residual", "dense"] = "residual"
    """residual: layers of one size, added to what they read. dense: each reads all below, side by side. Or plain."""
    learnt_initial_state: bool = False
    """Train what a stream starts from, instead of zeros."""
    embedding_dropout: float = 0.1
    """On the embedding, one mask for a window."""
    dropout: float = 0.3
    """Before the softmax, one mask for a window."""
    layer_dropout: float = 0.0
    """Between layers, a mask for each step."""
    variational: bool = False
    """One mask for a window between layers too, not one for each step."""
    recurrent_dropout: float = 0.0
    """On the state that enters the recurrent product, one mask for a window."""
    zoneout: float = 0.0
    """Probability that a unit of the state stays as it is, step by step."""
    weight_drop: float = 0.0
    """On the recurrent weights W, one mask for a window."""
    batch_size: int = 128
    """Streams of text, side by side."""
    window: int = 64
    """Steps through which gradients flow; the state is carried on."""
    reset: float = 0.02
    """Probability that a stream starts afresh at a window's start."""
    optimiser: Literal["adamw", "muon"] = "muon"
    """muon takes the matrices of the recurrent layers, AdamW the rest."""
    rate: float = 4e-3
    """AdamW's highest learning rate."""
    muon_rate: float = 0.03
    """Muon's highest learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the rates fall to nothing over the budget."""
    warmup: int = 50
    """Steps in which the rates rise to their height."""
    weight_decay: float = 0.3
    """Decoupled, on matrices, of both optimisers."""
    clip: float = 1.0
    """The gradient's greatest norm; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.sizes) > 0 and min(self.sizes) >= 1, "sizes", self.sizes, "one or more sizes of 1 or more")
        require(self.n_gram >= 0, "n_gram", self.n_gram, "0 (none) or more")
        require(self.embedding >= 0, "embedding", self.embedding, "0 (one-hot) or more")
        alike = self.connections != "residual" or len(set(self.sizes)) == 1
        require(alike, "sizes", self.sizes, "equal sizes for residual connections, or --connections plain")
        for name in ("embedding_dropout", "dropout", "layer_dropout", "recurrent_dropout", "zoneout", "weight_drop"):
            rate = getattr(self, name)
            require(0 <= rate < 1, name, rate, "at least 0 and below 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.window >= 1, "window", self.window, "1 or more")
        require(0 <= self.reset <= 1, "reset", self.reset, "a probability")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.muon_rate > 0, "muon_rate", self.muon_rate, "above 0")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 (none) or more")
        fits = min(self.split) >= 0 and self.split[0] > 0 and abs(sum(self.split) - 1) < 1e-6
        require(fits, "split", self.split, "three parts that add up to 1, the first above 0")


def model(options: LanguageModelOptions, assets: Mapping[str, Any]) -> LanguageModel:
    """Over the symbols of the vocabulary in `assets`."""
    from unrolled.data.vocabulary import vocabulary_from_assets

    return model_of(options, vocabulary_from_assets(assets["vocabulary"]).size)


def model_of(options: LanguageModelOptions, size: int) -> LanguageModel:
    """Over `size` symbols."""
    from unrolled.cells import registry
    from unrolled.models.language_model import LanguageModel

    return LanguageModel(
        registry.find(options.cell),
        size,
        options.embedding,
        options.sizes,
        dropout=options.dropout,
        embedding_dropout=options.embedding_dropout,
        layer_dropout=options.layer_dropout,
        kernel=options.kernel,
        connections=options.connections,
        variational=options.variational,
        recurrent_dropout=options.recurrent_dropout,
        zoneout=options.zoneout,
        weight_drop=options.weight_drop,
        learnt_initial_state=options.learnt_initial_state,
    )


def settings(options: LanguageModelOptions, usual: Budget = FIVE_MINUTES) -> Settings:
    """usual: the budget where the options name none."""
    return Settings(
        budget=options.budget(usual),
        optimiser=options.optimiser,
        rate=options.rate,
        muon_rate=options.muon_rate,
        decay=options.decay,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        clip_norm=options.clip,
        dtype=options.number_type(automatic_dtype(options.device)),
        seed=options.seed,
    )
