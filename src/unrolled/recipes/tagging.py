"""`tagging`: tags for each word of a sentence: parts of speech, chunks, names, whatever the columns of a file hold.

unrolled train tagging
unrolled train tagging --data names.conll --word 1 --tags 4
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.recipes import answers, language
from unrolled.recipes.recipe import Data, Recipe, Sizes, Tagging, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.conll import Sentence
    from unrolled.data.spelling import EncodedSentence
    from unrolled.models.word_tagger import WordTagger

#: Sentences side by side where they are only measured.
BATCH = 100
#: Held-out sentences that a sample shows.
SHOWN = 3


@dataclass(frozen=True)
class TaggingOptions(answers.AnswerOptions):
    """Options of tagging. The data is one file in columns, or a folder or archive with a test file beside others."""

    word: Annotated[int, tyro.conf.arg(metavar="COLUMN")] = 0
    """The column of the words, from 1. 0: the first, in CoNLL-U the second."""
    tags: Annotated[tuple[int, ...], tyro.conf.arg(metavar="COLUMN [COLUMN ...]")] = ()
    """The columns of the tags to learn, from 1. None: every other one with few different tags."""
    encoding: str = "utf-8"
    """How the bytes of the data are to be read."""
    least: int = 2
    """A word that comes less often in training is unknown, as are all that do not come at all."""
    held_out: float = 0.1
    """Share of the sentences kept apart to validate, and as much again to test, where no files are there for them."""
    directions: Literal["both", "forward"] = "both"
    """In which a sentence is read."""
    head: Literal["crf", "softmax"] = "crf"
    """crf chooses the tags of a sentence together, softmax each by itself."""
    embedding: int = 100
    """Features of a word."""
    letters: int = 25
    """Features of a letter, and units of each direction over a word's letters."""
    word_dropout: float = 0.1
    """Share of the words of a sentence of which a training step sees the letters alone."""
    sizes: Sizes = (128,)
    dropout: float = 0.5
    batch_size: int = 16
    rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.least >= 1, "least", self.least, "1 or more")
        require(0 < self.held_out < 0.5, "held_out", self.held_out, "above 0 and below 0.5")
        require(self.embedding >= 1, "embedding", self.embedding, "1 or more")
        require(self.letters >= 1, "letters", self.letters, "1 or more")
        require(0 <= self.word_dropout < 1, "word_dropout", self.word_dropout, "at least 0 and below 1")


def data(options: TaggingOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data import conll
    from unrolled.data.examples import Fields, Shuffled
    from unrolled.data.sequences import random_split
    from unrolled.data.spelling import SentenceReader, sentence_fields
    from unrolled.data.tokens import class_numbers

    found = conll.read_conll(language.one_path(options.data, "conll2000", folder), options.encoding)
    word = conll.word_column(found, options.word)
    columns = conll.tag_columns(found, word, options.tags)
    parts = {"train": found.train, "valid": found.valid, "test": found.test}
    kept = max(1, round(options.held_out * len(found.train)))
    # Which sentences are held out does not depend on the run's seed, so that runs can be compared.
    for name in ("test", "valid"):
        if not parts[name]:
            parts["train"], parts[name] = random_split(parts["train"], (kept,), seed=0)
    if assets is None:
        everything = [sentence for part in parts.values() for sentence in part]
        tags = [conll.tags_of(everything, column) for column in columns]
        words = [sentence.column(word) for sentence in parts["train"]]
        assets = {
            "word": word,
            "columns": conll.column_names(columns, tags),
            "tags": tags,
            **SentenceReader.of(words, options.least).to_assets(),
            "examples": [sentence.column(word) for sentence in parts["valid"][:SHOWN]],
        }
    reader = SentenceReader.from_assets(assets)

    def encoded(sentences: Sequence[Sentence]) -> list[EncodedSentence]:
        targets = zip(columns, assets["tags"], strict=True)
        numbers = [[class_numbers(one.column(column), own) for one in sentences] for column, own in targets]
        return [
            reader.encode(one.column(word), np.stack(of, -1))
            for one, of in zip(sentences, zip(*numbers, strict=True), strict=True)
        ]

    train = encoded(parts["train"])

    def gather(places: np.ndarray) -> Fields:
        return sentence_fields([train[place] for place in places])

    held_out = {
        name: HeldOutSentences(parts[name], parts["train"], encoded(parts[name]), word, columns, assets)
        for name in ("valid", "test")
    }
    lengths = np.array([len(one.words) for one in train])
    names = ", ".join(f"{name} ({len(own)})" for name, own in zip(assets["columns"], assets["tags"], strict=True))
    return Data(
        train=Shuffled(gather, len(train), options.batch_size, options.seed, "words", lengths=lengths),
        held_out=held_out,
        assets=assets,
        summary=(
            f"{found.summary} in column {word}, to learn {names}: {len(train):,} sentences to train on, "
            f"{len(parts['valid']):,} to validate, {len(parts['test']):,} to test; "
            f"{len(assets['words']) - 1:,} words known"
        ),
        digest=found.digest,
    )


@dataclass(frozen=True)
class HeldOutSentences:
    """Sentences that are not trained on; `train` are those that are, from which the baseline learns."""

    sentences: list[Sentence]
    train: list[Sentence]
    encoded: list[EncodedSentence]
    word: int
    columns: tuple[int, ...]
    assets: Mapping[str, Any]

    def __iter__(self) -> Iterator[Batch]:
        from unrolled.batch import Batch
        from unrolled.data.spelling import sentence_fields

        # Sorted by length, so that little is padding; the figures do not hang on the order.
        order = sorted(self.encoded, key=lambda one: len(one.words))
        for first in range(0, len(order), BATCH):
            yield Batch(sentence_fields(order[first : first + BATCH]))

    @cached_property
    def baseline(self) -> dict[str, float]:
        """The figures of each word's commonest tag in training, and of the commonest of all for other words."""
        from collections import Counter, defaultdict

        figures: dict[str, float] = {}
        for name, column in zip(self.assets["columns"], self.columns, strict=True):
            of_word: dict[str, Counter[str]] = defaultdict(Counter)
            for one in self.train:
                for word, tag in zip(one.column(self.word), one.column(column), strict=True):
                    of_word[word][tag] += 1
            other = sum(of_word.values(), Counter()).most_common(1)[0][0]
            commonest = {word: counts.most_common(1)[0][0] for word, counts in of_word.items()}
            said = [[commonest.get(word, other) for word in one.column(self.word)] for one in self.sentences]
            found = figures_of(name, [one.column(column) for one in self.sentences], said)
            figures |= {f"{figure}, each word's commonest": value for figure, value in found.items()}
        return figures


def figures_of(name: str, truth: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, float]:
    """Of one column, in per cent: words whose tag is right, or F1 where the tags mark chunks."""
    from unrolled.data.chunks import f1

    if name.startswith("chunks"):
        return {f"F1 of {name}": f1(truth, said).f1}
    pairs = [
        one == other
        for wanted, given in zip(truth, said, strict=True)
        for one, other in zip(wanted, given, strict=True)
    ]
    return {f"accuracy of {name}": 100 * sum(pairs) / max(1, len(pairs))}


def model(options: TaggingOptions, assets: Mapping[str, Any]) -> WordTagger:
    from unrolled.cells import registry
    from unrolled.data.spelling import SentenceReader
    from unrolled.models.word_tagger import WordTagger

    return WordTagger(
        registry.find(options.cell),
        len(assets["words"]),
        SentenceReader.from_assets(assets).letters,
        options.sizes,
        [len(own) for own in assets["tags"]],
        embedding_size=options.embedding,
        character_size=options.letters,
        two_directions=options.directions == "both",
        crf=options.head == "crf",
        dropout=options.dropout,
        symbol_dropout=options.word_dropout,
        kernel=options.kernel,
    )


def metric(model: WordTagger, part: HeldOutSentences) -> dict[str, float]:
    """Nats a word; of each column accuracy, or F1 where it holds chunks; and the same of each word's commonest tag."""
    import torch

    total, count = 0.0, 0
    names, tags = part.assets["columns"], part.assets["tags"]
    truth: dict[str, list[list[str]]] = {name: [] for name in names}
    said: dict[str, list[list[str]]] = {name: [] for name in names}
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        targets = one.batch.ragged("targets")
        with torch.inference_mode():
            best = model.best(one.answer, targets.lengths)
        for number, (name, own) in enumerate(zip(names, tags, strict=True)):
            for row, length in enumerate(targets.lengths.tolist()):
                truth[name].append([own[tag] for tag in targets.values[:length, row, number].tolist()])
                said[name].append([own[tag] for tag in best[:length, row, number].tolist()])
    figures = {"loss": total / count}
    for name in names:
        figures |= figures_of(name, truth[name], said[name])
    return {**figures, **part.baseline}


def settings(options: TaggingOptions) -> Settings:
    return answers.settings(options, Budget(steps=2500))


def tagging(assets: Mapping[str, Any]) -> Tagging:
    """Sentences of people's own, as the model reads them."""
    from unrolled.batch import Batch
    from unrolled.data.spelling import SentenceReader, sentence_fields

    reader = SentenceReader.from_assets(assets)

    def batch(sentences: Sequence[Sequence[str]]) -> Batch:
        return Batch(sentence_fields([reader.encode(one) for one in sentences]))

    columns = zip(assets["columns"], assets["tags"], strict=True)
    return Tagging(batch, tuple((name, tuple(own)) for name, own in columns), assets["word"])


def sample(model: WordTagger, assets: Mapping[str, Any], seed: int) -> str:
    """Sentences of the validation part, each word with its tags."""
    reading = tagging(assets)
    lines = []
    for sentence in assets["examples"]:
        (tags,) = answers.tags(model, reading, [sentence])
        lines.append(" ".join("/".join([word, *own]) for word, own in zip(sentence, tags, strict=True)))
    return "\n".join(lines)


RECIPE = Recipe(
    summary="Tags for each word: parts of speech, chunks, names",
    source="Tjong Kim Sang & Buchholz 2000, Introduction to the CoNLL-2000 Shared Task: Chunking, arXiv:cs/0009008",
    Options=TaggingOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    tagging=tagging,
    used_by="predict RUN FILE",
    target={"accuracy of tags": ">= 96", "F1 of chunks": ">= 92"},
    target_data=("", "conll2000"),
    unit="%",
    units={"loss": "nats/word"},
)
