"""`names`: new first names, letter by letter, with a start and an end symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.recipes import language
from unrolled.recipes.recipe import CellName, Data, Decoder, Options, Recipe, Sizes, Writing, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel

#: Names that a sample shows.
SHOWN = 20
#: No name is longer, should a model never draw the end symbol.
LONGEST = 40


@dataclass(frozen=True)
class NamesOptions(Options):
    """Options of names. The data is a list, one name a line."""

    cell: CellName = "gru"
    encoding: Annotated[str, tyro.conf.arg(metavar="NAME")] = "utf-8"
    """How the list's bytes are to be read."""
    held_out: int = 1000
    """Names kept apart for validation, and as many again for the test; at most a tenth of all each."""
    embedding: int = 32
    """Features of a letter; 0 feeds it one-hot."""
    sizes: Sizes = (256,)
    """Hidden units of each layer."""
    dropout: float = 0.3
    """On the embedding, between layers and before the softmax."""
    batch_size: int = 64
    """Names side by side."""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """muon takes the matrices of the recurrent layers, AdamW the rest."""
    rate: float = 3e-3
    """AdamW's highest learning rate."""
    muon_rate: float = 0.02
    """Muon's highest learning rate."""
    warmup: int = 100
    """Steps in which the rate rises to it."""
    weight_decay: float = 0.1
    """Decoupled, on matrices, of both optimisers."""
    clip: float = 1.0
    """The gradient's greatest norm; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.held_out >= 0, "held_out", self.held_out, "0 or more")
        require(len(self.sizes) > 0 and min(self.sizes) >= 1, "sizes", self.sizes, "one or more sizes of 1 or more")
        require(self.embedding >= 0, "embedding", self.embedding, "0 (one-hot) or more")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.rate > 0, "rate", self.rate, "above 0")
        require(self.muon_rate > 0, "muon_rate", self.muon_rate, "above 0")
        require(self.warmup >= 0, "warmup", self.warmup, "0 or more")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 (none) or more")


def data(options: NamesOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.sequences import Sequences, lines, random_split
    from unrolled.data.vocabulary import CharacterVocabulary, vocabulary_from_assets

    files = language.text_files(options.data, "names", folder)
    listed = lines(files, options.encoding)
    if assets is None:
        vocabulary = CharacterVocabulary.of("".join(listed.items))
    else:
        vocabulary = vocabulary_from_assets(assets["vocabulary"])
    held_out = min(options.held_out, len(listed.items) // 10)
    # Which names are held out does not depend on the run's seed, so that runs can be compared.
    train, valid, test = random_split(listed.items, (held_out, held_out), seed=0)
    ids = [vocabulary.encode(item) for item in train]
    start, end = vocabulary.size, vocabulary.size + 1
    return Data(
        train=Sequences(ids, options.batch_size, options.seed, start, end),
        held_out={
            "valid": HeldOutNames([vocabulary.encode(item) for item in valid], start, end),
            "test": HeldOutNames([vocabulary.encode(item) for item in test], start, end),
        },
        assets={"vocabulary": vocabulary.to_assets(), "known": sorted(train)},
        summary=f"{listed.summary}: {len(train):,} to train on, {held_out:,} to validate, {held_out:,} to test",
        digest=listed.digest,
    )


@dataclass(frozen=True)
class HeldOutNames:
    """Names that are not trained on, each as symbols, and the two that stand before and behind."""

    ids: list
    start: int
    end: int


def model(options: NamesOptions, assets: Mapping[str, Any]) -> LanguageModel:
    from unrolled.cells import registry
    from unrolled.data.vocabulary import vocabulary_from_assets
    from unrolled.models.language_model import LanguageModel

    return LanguageModel(
        registry.find(options.cell),
        vocabulary_from_assets(assets["vocabulary"]).size + 2,
        options.embedding,
        options.sizes,
        dropout=options.dropout,
        embedding_dropout=options.dropout,
        layer_dropout=options.dropout,
        kernel=options.kernel,
    )


def metric(model: LanguageModel, part: HeldOutNames) -> dict[str, float]:
    """Nats per symbol, the end symbol counted, as in makemore."""
    from unrolled.data.sequences import in_order

    return {"loss": language.mean_loss(model, in_order(part.ids, part.start, part.end, batch_size=250))}


class NameDecoder:
    """Letters as they are; the start symbol, should a model draw it, is no letter."""

    def __init__(self, decoder: Decoder, start: int) -> None:
        self.decoder = decoder
        self.start = start

    def feed(self, symbol: int) -> str:
        return "" if symbol == self.start else self.decoder.feed(symbol)


def writing(assets: Mapping[str, Any]) -> Writing:
    """Names: the start symbol before a prompt, the end symbol behind."""
    from unrolled.data.vocabulary import vocabulary_from_assets

    vocabulary = vocabulary_from_assets(assets["vocabulary"])
    start, end = vocabulary.size, vocabulary.size + 1

    def encode(prompt: str) -> list[int]:
        return [start, *vocabulary.encode(prompt).tolist()]

    return Writing(encode, lambda: NameDecoder(vocabulary.decoder(), start), end)


def sample(model: LanguageModel, assets: Mapping[str, Any], seed: int) -> str:
    """Twenty names, how many of them are new, and a few that begin with one letter."""
    known = set(assets["known"])
    letters = writing(assets)

    def draw(number: int, beginning: str = "") -> str:
        return beginning + language.write(model, letters, seed + number, LONGEST, beginning, temperature=1.0)

    drawn = [draw(number) for number in range(SHOWN)]
    new = sum(name not in known for name in drawn)
    firsts = sorted({name[0] for name in known})
    letter = firsts[seed % len(firsts)]
    begun = [draw(SHOWN + number, letter) for number in range(5)]
    return "\n".join(
        [" ".join(drawn), f"({new} of {SHOWN} are not in the training list)", f"with {letter}: {' '.join(begun)}"]
    )


def settings(options: NamesOptions) -> Settings:
    return Settings(
        budget=options.budget(Budget(minutes=5)),
        optimiser=options.optimiser,
        rate=options.rate,
        muon_rate=options.muon_rate,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        clip_norm=options.clip,
        dtype=options.number_type("float32"),
        seed=options.seed,
    )


RECIPE = Recipe(
    summary="New first names, letter by letter",
    source="makemore (its Transformer: about 1.92 nats)",
    Options=NamesOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    writing=writing,
    target={"loss": "< 1.95"},
    target_data=("", "names"),
    unit="nats/symbol",
    peers=(("makemore's Transformer", 1.92, "makemore's README, about"),),
)
