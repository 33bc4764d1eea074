"""`char-lm`: the next character of a text from all before it, the main job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unrolled.recipes import language
from unrolled.recipes.language_model import LanguageModelOptions, model, settings
from unrolled.recipes.recipe import Data, Recipe, require

#: Validation while training reads its part side by side, and no more of it than this, however large the text.
VALIDATION_STREAMS = 32
VALIDATION_SYMBOLS = 1 << 16
#: The test part is read in one go up to this size; beyond, side by side, each stream warmed up.
EXACT_SYMBOLS = 1 << 18
TEST_STREAMS = 64


@dataclass(frozen=True)
class CharLMOptions(LanguageModelOptions):
    """Options of char-lm. The defaults are tuned for five minutes on two cores: see docs/char-lm.md."""

    symbols: Literal["characters", "bytes", "bpe"] = "characters"
    """What the model reads and writes one at a time. bpe needs the extra `bpe`."""
    bpe_size: int = 1024
    """Symbols that BPE learns, from the training part."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.bpe_size > 256, "bpe_size", self.bpe_size, "above 256")


def data(options: CharLMOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    from unrolled.data.corpus import load_corpus, split
    from unrolled.data.streams import Streams
    from unrolled.data.vocabulary import vocabulary_from_assets

    corpus = load_corpus(
        language.text_files(options.data, "", folder),
        symbols=options.symbols,
        encoding=options.encoding,
        bpe_size=options.bpe_size,
        train_fraction=options.split[0],
        vocabulary=None if assets is None else vocabulary_from_assets(assets["vocabulary"]),
    )
    train, valid, test = split(corpus.ids, options.split, window=options.window)
    streams = Streams(
        train,
        options.batch_size,
        options.window,
        options.seed,
        reset_probability=options.reset,
        unit=corpus.vocabulary.unit,
    )
    baseline = language.NGram(train, corpus.vocabulary.size, options.n_gram) if options.n_gram else None
    in_one_go = 1 if len(test) <= EXACT_SYMBOLS else TEST_STREAMS
    return Data(
        train=streams,
        held_out={
            "valid": language.HeldOutText(valid[:VALIDATION_SYMBOLS], VALIDATION_STREAMS) if len(valid) else None,
            "test": language.HeldOutText(test, in_one_go, baseline) if len(test) else None,
        },
        assets={"vocabulary": corpus.vocabulary.to_assets()},
        summary=corpus.summary,
        digest=corpus.digest,
    )


RECIPE = Recipe(
    summary="A character model of any text: the main job",
    source="Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks",
    Options=CharLMOptions,
    data=data,
    model=model,
    metric=language.held_out_losses,
    settings=settings,
    sample=language.sample_text,
    writing=language.writing,
    target={"state carried": "<= 1.45", "from zero state": "<= 1.47"},
    target_data=("tinyshakespeare",),
    unit="nats/symbol",
    peers=(
        ("nanoGPT, its CPU setting, about 3 minutes", 1.88, "nanoGPT's README, on tiny Shakespeare"),
        ("nanoGPT, its GPU setting, on an A100", 1.4697, "nanoGPT's README, on tiny Shakespeare"),
    ),
)
