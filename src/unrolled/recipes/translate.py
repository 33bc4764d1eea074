"""`translate`: sentences of one language into another, by an encoder and a decoder, with attention or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import tyro

from unrolled.errors import OptionError
from unrolled.recipes import language, pairs
from unrolled.recipes.recipe import Data, Recipe, require
from unrolled.recipes.sentences import Sentences
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.data.parallel_text import ParallelText
    from unrolled.models.encoder_decoder import EncoderDecoder

#: Parts of the named data, and of a user's own what is held out of each: a tenth, this many at most.
PARTS = ("train", "val", "test_2016_flickr")
HELD_OUT = 1000
#: Sentences that a run keeps to show what it makes of them.
SHOWN = 10
BEAM, LENGTH_PENALTY = 5, 1.0


@dataclass(frozen=True)
class TranslateOptions(pairs.PairOptions):
    """Options of translate. The data is Multi30k, German to English; or a file with a tab a line; or two files."""

    PATHS: ClassVar[tuple[str, ...]] = ("data", "translations")

    translations: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""
    """The file with the translations of --data, line by line; empty: --data has both, with a tab between."""
    swap: bool = False
    """Translate the other way: from the second language to the first."""
    symbols: Literal["bpe", "words"] = "bpe"
    """What a symbol is: a piece learnt by byte-pair encoding of both languages together, or a word in small letters."""
    vocabulary: int = 4000
    """Pieces at most; of words, each language's."""
    reversed: bool = False
    """Read the source from its end (Sutskever et al. 2014)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.vocabulary > 256, "vocabulary", self.vocabulary, "above 256")
        if self.translations and not self.data:
            raise OptionError(f"--translations {self.translations}: give the other language's file with --data")


class HeldOut(NamedTuple):
    """A part that is not trained on: as symbols, as texts, and how it is translated to be measured."""

    pairs: pairs.Pairs
    sentences: list[str]
    references: list[str]
    symbols: Sentences
    beams: tuple[int, ...]


def data(options: TranslateOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data.examples import Shuffled

    require_sacrebleu()
    parts, summary, digest = _read(options, folder)
    train = parts["train"]
    if assets is None:
        symbols = Sentences.learn(train.sources, train.targets, options.symbols, options.vocabulary, options.reversed)
    else:
        symbols = Sentences.from_assets(assets["symbols"])
    sides = {name: _symbols(symbols, part) for name, part in parts.items()}
    source, target = sides["train"].sources, sides["train"].targets
    from unrolled.data.pairs import gather

    return Data(
        train=Shuffled(
            gather(source, target, symbols.start, symbols.end),
            len(source),
            options.batch_size,
            options.seed,
            "symbols",
            lengths=np.array([len(one) + len(other) for one, other in zip(source, target, strict=True)]),
        ),
        held_out={
            name: HeldOut(sides[name], part.sources, part.targets, symbols, beams) if part.sources else None
            for name, part, beams in (("valid", parts["valid"], (1,)), ("test", parts["test"], (1, BEAM)))
        },
        assets={
            "symbols": symbols.to_assets(),
            "shown": list(zip(parts["valid"].sources[:SHOWN], parts["valid"].targets[:SHOWN], strict=True)),
        },
        summary=f"{summary}; {symbols.summary}",
        digest=digest,
    )


def _read(options: TranslateOptions, folder: Path) -> tuple[dict[str, ParallelText], str, str]:
    """train, valid and test; a summary; a digest. folder: where standard input is kept."""
    from dataclasses import replace

    from unrolled.data import named, parallel_text
    from unrolled.data.sequences import random_split

    if options.data == "" or (options.data == "multi30k" and not Path(options.data).exists()):
        files = {
            language: [named.find(f"multi30k_{part}_{language}", of="multi30k") for part in PARTS]
            for language in ("de", "en")
        }
        read = [parallel_text.two_files(de, en) for de, en in zip(files["de"], files["en"], strict=True)]
        parts = dict(zip(("train", "valid", "test"), read, strict=True))
        summary = f"Multi30k: {len(read[0].sources):,} pairs to train on, {len(read[1].sources):,} to validate"
        digest = " ".join(part.digest for part in read)
    else:
        file = language.one_path(options.data, "", folder)
        if options.translations:
            whole = parallel_text.two_files(file, options.translations, options.encoding)
        else:
            whole = parallel_text.two_columns(file, options.encoding)
        both = list(zip(whole.sources, whole.targets, strict=True))
        held_out = min(HELD_OUT, len(both) // 10)
        # Which pairs are held out does not depend on the run's seed, so that runs can be compared.
        split = random_split(both, (held_out, held_out), seed=0)
        parts = {
            name: replace(whole, sources=[one for one, _ in part], targets=[other for _, other in part])
            for name, part in zip(("train", "valid", "test"), split, strict=True)
        }
        summary = f"{whole.summary}; {len(split[0]):,} to train on, {held_out:,} to validate, {held_out:,} to test"
        digest = whole.digest
    if options.swap:
        parts = {name: replace(part, sources=part.targets, targets=part.sources) for name, part in parts.items()}
    return parts, summary, digest


def _symbols(symbols: Sentences, part: ParallelText) -> pairs.Pairs:
    sources = [symbols.read(sentence) for sentence in part.sources]
    return pairs.Pairs(sources, [symbols.target(sentence) for sentence in part.targets], symbols.start, symbols.end)


def model(options: TranslateOptions, assets: Mapping[str, Any]) -> EncoderDecoder:
    symbols = Sentences.from_assets(assets["symbols"])
    return pairs.encoder_decoder(options, symbols.source_size, symbols.target_size, tied=True)


class Translation(NamedTuple):
    """text: the translation. log_probability: in nats. source, target: the symbols as texts, in the order of `weights`,
    which says for each symbol that was written where it looked: (target, source), empty without attention.
    """

    text: str
    log_probability: float
    source: list[str]
    target: list[str]
    weights: np.ndarray


def translate(
    model: EncoderDecoder,
    symbols: Sentences,
    sentences: Sequence[str],
    beam: int = BEAM,
    length_penalty: float = LENGTH_PENALTY,
) -> list[Translation]:
    """Each sentence's likeliest translation that a beam finds; an empty one stays empty."""
    import numpy as np

    asked = [number for number, sentence in enumerate(sentences) if sentence.strip()]
    found = [Translation("", 0.0, [], [], np.zeros((0, 0))) for _ in sentences]
    sources = [symbols.read(sentences[number]) for number in asked]
    best = [
        hypotheses[0]
        for hypotheses in pairs.write(
            model,
            sources,
            symbols.start,
            symbols.end,
            beam=beam,
            length_penalty=length_penalty,
            longest=lambda length: 2 * length + 10,
        )
    ]
    targets = [np.array([s for s in one.symbols if s != symbols.end], dtype=np.int64) for one in best]
    if model.attention is not None and asked:
        weights = pairs.looked(model, sources, targets, symbols.start, symbols.end)
    else:
        weights = [np.zeros((len(target) + 1, 0)) for target in targets]
    for place, number in enumerate(asked):
        tokens = symbols.source_tokens(sentences[number])
        found[number] = Translation(
            symbols.text(targets[place], tokens, weights[place]),
            best[place].log_probability,
            tokens,
            symbols.target_tokens(targets[place]),
            weights[place],
        )
    return found


def require_sacrebleu() -> Any:
    """The library that scores translations. OptionError where it is not installed."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise OptionError("scoring translations needs the extra: pip install 'unrolled[translation,bpe]'") from error
    return BLEU


def bleu(translations: Sequence[str], references: Sequence[str], lowercase: bool) -> tuple[float, str]:
    """(BLEU, the signature by which sacrebleu says how it was counted)."""
    scorer = require_sacrebleu()(lowercase=lowercase)
    score = scorer.corpus_score(list(translations), [list(references)])
    return score.score, str(scorer.get_signature())


def metric(model: EncoderDecoder, part: HeldOut) -> dict[str, float]:
    """Nats a symbol; BLEU of translations by each beam."""
    figures = {"loss": pairs.mean_loss(model, part.pairs)}
    for beam in part.beams:
        texts = [one.text for one in translate(model, part.symbols, part.sentences, beam)]
        name = "BLEU, greedy" if beam == 1 else f"BLEU, beam {beam}"
        figures[name] = bleu(texts, part.references, part.symbols.lowercase)[0]
    return figures


def settings(options: TranslateOptions) -> Settings:
    return pairs.settings(options, Budget(minutes=10))


def sample(model: EncoderDecoder, assets: Mapping[str, Any], seed: int) -> str:
    """Three sentences, what the model makes of them, and what a person made of them."""
    shown = assets["shown"]
    chosen = [shown[(seed + number) % len(shown)] for number in range(min(3, len(shown)))]
    symbols = Sentences.from_assets(assets["symbols"])
    translations = translate(model, symbols, [source for source, _ in chosen], beam=1)
    return "\n\n".join(
        f"{source}\n  → {made.text}\n  ({reference})"
        for (source, reference), made in zip(chosen, translations, strict=True)
    )


_SIGNATURE = "BLEU (sacrebleu, nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp)"

RECIPE = Recipe(
    summary="Sentences into another language, with attention or without",
    source="Sutskever et al. 2014 (30.6 reversed), Bahdanau et al. 2014 (17.8, with attention 26.8), on WMT'14 en–fr",
    Options=TranslateOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    used_by="translate RUN FILE",
    target={f"BLEU, beam {BEAM}": ">= 30"},
    target_data=("", "multi30k"),
    unit="nats/symbol",
    units={"BLEU, greedy": _SIGNATURE, f"BLEU, beam {BEAM}": _SIGNATURE},
)
