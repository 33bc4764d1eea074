"""`sentiment`: the opinion of a text, or any label that a table of people's own gives to its texts. Many to one.

unrolled train sentiment
unrolled train sentiment --data reviews.csv --text review --label stars
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from unrolled.recipes import answers, language
from unrolled.recipes.recipe import CellName, Classifying, Data, Recipe, Sizes, require
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    import numpy as np

    from unrolled.batch import Batch
    from unrolled.data.labelled_texts import LabelledTexts
    from unrolled.models.sequence_classifier import SequenceClassifier

#: Texts side by side where they are only measured.
BATCH = 250
#: Held-out texts that a sample shows.
SHOWN = 6
#: Log odds are written into the embedding so large: about as large as the noise beside them.
COUNTED = 0.3


@dataclass(frozen=True)
class SentimentOptions(answers.AnswerOptions):
    """Options of sentiment. The data is a table, or a folder or archive with a folder or a file for each class."""

    text: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The column of the texts. Empty: the one with the longest cells."""
    label: Annotated[str, tyro.conf.arg(metavar="COLUMN")] = ""
    """The column of the labels. Empty: the only one with a few values that come again."""
    separator: str = ""
    """What stands between cells, \\t for a tab. Empty finds it out."""
    encoding: str = "utf-8"
    """How the bytes of the data are to be read."""
    symbols: Literal["words", "characters"] = "words"
    """What is read one by one."""
    least: int = 2
    """A word that comes less often in training is unknown, as are all that do not come at all."""
    longest: int = 400
    """Words or characters of a text that are read; what is behind them is left out."""
    held_out: float = 0.1
    """Share of the texts kept apart for validation, and as much again for the test."""
    directions: Literal["both", "forward"] = "both"
    """In which a text is read."""
    pooling: Literal["last", "mean", "largest"] = "mean"
    """What the answer is drawn from: the last step, the mean of all, or each unit's largest value."""
    start: Literal["counts", "noise"] = "counts"
    """What the embedding starts from: how strongly each word speaks for each class, counted in training; or noise."""
    embedding: int = 100
    """Features of a symbol; 0 feeds it one-hot."""
    word_dropout: float = 0.3
    """Share of the words of a text that a training step does not see."""
    cell: CellName = "gru"
    sizes: Sizes = (64,)
    dropout: float = 0.5
    batch_size: int = 32
    rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.least >= 1, "least", self.least, "1 or more")
        require(self.longest >= 1, "longest", self.longest, "1 or more")
        require(0 < self.held_out < 0.5, "held_out", self.held_out, "above 0 and below 0.5")
        require(self.embedding >= 0, "embedding", self.embedding, "0 (one-hot) or more")
        require(self.start == "noise" or self.embedding > 0, "embedding", 0, "1 or more, or --start noise")
        require(0 <= self.word_dropout < 1, "word_dropout", self.word_dropout, "at least 0 and below 1")


def data(options: SentimentOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data.examples import Fields, Shuffled
    from unrolled.data.sequences import random_split
    from unrolled.data.tokens import TokenVocabulary, class_numbers

    listed = _read(options, folder)
    classes = listed.classes if assets is None else list(assets["classes"])
    numbers = class_numbers(listed.labels, classes)
    tokens = [_tokens(one, options.symbols, options.longest) for one in listed.texts]
    kept = max(1, round(options.held_out * len(tokens)))
    # Which texts are held out does not depend on the run's seed, so that runs can be compared.
    train, valid, test = (np.array(part) for part in random_split(range(len(tokens)), (kept, kept), seed=0))
    if assets is None:
        vocabulary = TokenVocabulary.of([tokens[place] for place in train], options.least)
    else:
        vocabulary = TokenVocabulary.from_assets(assets["words"])
    encoded = [vocabulary.encode(one) for one in tokens]

    def gather(places: np.ndarray) -> Fields:
        return _fields([encoded[train[place]] for place in places], numbers[train[places]])

    def held_out(part: np.ndarray) -> HeldOutTexts:
        texts, read, as_numbers = ([own[place] for place in part] for own in (listed.texts, tokens, encoded))
        return HeldOutTexts(texts, read, as_numbers, numbers[part], training)

    training = Training([tokens[place] for place in train], numbers[train], len(classes))
    parts = {"valid": held_out(valid), "test": held_out(test)}
    examples = [[parts["valid"].texts[row], classes[parts["valid"].classes[row]]] for row in range(min(SHOWN, kept))]
    return Data(
        train=Shuffled(
            gather, len(train), options.batch_size, options.seed, "texts", lengths=np.array([*map(len, encoded)])[train]
        ),
        held_out=parts,
        assets={
            "classes": classes,
            "column": listed.column,
            "words": vocabulary.to_assets(),
            "symbols": options.symbols,
            "longest": options.longest,
            "examples": examples,
            "odds": _odds(options, [encoded[place] for place in train], numbers[train], vocabulary.size, len(classes)),
        },
        summary=(
            f"{listed.summary}: {len(train):,} to train on, {kept:,} to validate, {kept:,} to test; "
            f"{vocabulary.size - 1:,} {options.symbols} known, {len(classes)} classes ({', '.join(classes[:8])}"
            f"{', …' if len(classes) > 8 else ''})"
        ),
        digest=listed.digest,
    )


def _odds(
    options: SentimentOptions, texts: list[np.ndarray], classes: np.ndarray, words: int, count: int
) -> list[list[float]]:
    """How strongly each word speaks for each class, where the embedding starts from that."""
    from unrolled.recipes.naive_bayes import log_odds

    if options.start == "noise":
        return []
    require(
        count <= options.embedding,
        "embedding",
        options.embedding,
        f"{count}, the number of classes, or more; or --start noise",
    )
    return log_odds(texts, classes, words, count).round(4).tolist()


def _read(options: SentimentOptions, folder: Path) -> LabelledTexts:
    from unrolled.data.labelled_texts import read_labelled_texts

    path = language.one_path(options.data, "sentence_polarity", folder)
    return read_labelled_texts(path, options.encoding, options.text, options.label, options.separator)


def _tokens(text: str, symbols: str, longest: int) -> list[str]:
    from unrolled.data.tokens import words

    return (words(text) if symbols == "words" else list(text))[:longest]


def _fields(encoded: Sequence[np.ndarray], classes: np.ndarray | None = None) -> dict[str, Any]:
    import torch

    from unrolled.batch import Ragged
    from unrolled.data.tokens import padded

    values, lengths = padded(encoded)
    inputs = {"inputs": Ragged(torch.from_numpy(values), torch.from_numpy(lengths))}
    return inputs if classes is None else {**inputs, "targets": torch.from_numpy(classes)[None]}


@dataclass(frozen=True)
class Training:
    """What the baselines learn from: texts in tokens, and the numbers of their classes, of which there are so many."""

    tokens: list[list[str]]
    classes: np.ndarray
    count: int


@dataclass(frozen=True)
class HeldOutTexts:
    """Texts that are not trained on: as they are, in tokens, encoded; their classes' numbers; and those that are."""

    texts: list[str]
    tokens: list[list[str]]
    encoded: list[np.ndarray]
    classes: np.ndarray
    training: Training

    @cached_property
    def baselines(self) -> dict[str, float]:
        """How many naive Bayes over word counts, and the commonest class, get right."""
        import numpy as np

        from unrolled.recipes.naive_bayes import naive_bayes

        said = naive_bayes(self.training.tokens, self.training.classes, self.tokens, self.training.count)
        return {
            "accuracy of naive Bayes": 100 * float(np.mean(said == self.classes)),
            "accuracy of the commonest class": 100
            * float(np.mean(self.classes == np.bincount(self.training.classes).argmax())),
        }

    def __iter__(self) -> Iterator[Batch]:
        from unrolled.batch import Batch

        # Sorted by length, so that little is padding; the figures do not hang on the order.
        order = sorted(range(len(self.encoded)), key=lambda place: len(self.encoded[place]))
        for first in range(0, len(order), BATCH):
            own = order[first : first + BATCH]
            yield Batch(_fields([self.encoded[place] for place in own], self.classes[own]))


def model(options: SentimentOptions, assets: Mapping[str, Any]) -> SequenceClassifier:
    import torch

    from unrolled.cells import registry
    from unrolled.models.sequence_classifier import SequenceClassifier

    made = SequenceClassifier(
        registry.find(options.cell),
        len(assets["words"]),
        options.sizes,
        len(assets["classes"]),
        pooling=options.pooling,
        embedding_size=options.embedding,
        two_directions=options.directions == "both",
        dropout=options.dropout,
        symbol_dropout=options.word_dropout,
        kernel=options.kernel,
    )
    if options.start == "counts" and made.embedding is not None:
        with torch.no_grad():
            made.embedding.weight[:, : len(assets["classes"])] = COUNTED * torch.tensor(assets["odds"])
    return made


def metric(model: SequenceClassifier, part: HeldOutTexts) -> dict[str, float]:
    """Nats a text, how many are classed rightly, and how many by two baselines."""
    import torch

    total, count, share = 0.0, 0, answers.Share()
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        right = one.answer.argmax(-1) == one.batch.tensor("targets")[0]
        share.add(right, torch.ones_like(right))
    return {"loss": total / count, "accuracy": share.percent(), **part.baselines}


def settings(options: SentimentOptions) -> Settings:
    return answers.settings(options, Budget(steps=400))


def classifying(assets: Mapping[str, Any]) -> Classifying:
    """Texts of people's own, as the model reads them."""
    from unrolled.batch import Batch
    from unrolled.data.tokens import TokenVocabulary

    vocabulary = TokenVocabulary.from_assets(assets["words"])

    def tokens(text: str) -> list[str]:
        return _tokens(text, assets["symbols"], assets["longest"])

    def batch(texts: Sequence[Sequence[str]]) -> Batch:
        return Batch(_fields([vocabulary.encode(one) for one in texts]))

    # Runs of earlier versions did not keep the column.
    return Classifying(tokens, batch, tuple(assets["classes"]), assets.get("column", ""))


def sample(model: SequenceClassifier, assets: Mapping[str, Any], seed: int) -> str:
    """Texts of the validation part, what the model says of each, and how sure it is."""
    reading = classifying(assets)
    lines = []
    for text, label in assets["examples"]:
        p = answers.probabilities(model, reading.batch([reading.tokens(text)]))[0]
        said = reading.classes[int(p.argmax())]
        truth = "" if said == label else f", but it is {label}"
        shown = text if len(text) <= 100 else f"{text[:100]}…"
        lines.append(f"{' '.join(shown.split())}   {said} ({float(p.max()):.2f}){truth}")
    return "\n".join(lines)


RECIPE = Recipe(
    summary="The opinion of a text, or any label of a table's texts",
    source="Pang & Lee 2005, Seeing Stars, arXiv:cs/0506075 (the sentences)",
    Options=SentimentOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    sample=sample,
    classifying=classifying,
    used_by="predict RUN FILE",
    target={"accuracy": ">= 76"},
    target_data=("", "sentence_polarity"),
    unit="%",
    units={"loss": "nats/text"},
)
