"""`permuted-pixels`: which digit a picture shows, read one pixel at a time, in one shuffled order for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unrolled.errors import DataError, did_you_mean
from unrolled.recipes import answers
from unrolled.recipes.recipe import Data, Recipe
from unrolled.training.settings import Budget, Settings

if TYPE_CHECKING:
    from unrolled.batch import Batch
    from unrolled.data.examples import Fields
    from unrolled.data.pictures import Digits
    from unrolled.models.sequence_classifier import SequenceClassifier

#: Pictures of the training part that are kept for validation, but a tenth of it at most.
VALIDATED = 5000
ORDERS = {"permuted": "in a shuffled order", "rows": "row by row"}
CLASSES = 10
BATCH = 250
PAPER = "Arjovsky et al. 2016, arXiv:1511.06464, 28 × 28"
IRNN_PAPER = "Le et al. 2015, arXiv:1504.00941, 28 × 28"


@dataclass(frozen=True)
class PermutedPixelsOptions(answers.AnswerOptions):
    """Options of permuted-pixels."""

    side: Literal[14, 28] = 14
    """Pixels on a side: 28 as they are, or 14, each the mean of 2 × 2. A sequence has their square."""
    order: Literal["permuted", "rows"] = "permuted"
    """One shuffled order, the same for every picture and run, or row by row."""


def data(options: PermutedPixelsOptions, folder: Path, assets: Mapping[str, Any] | None) -> Data:
    import numpy as np

    from unrolled.data.examples import Shuffled
    from unrolled.data.pictures import load_digits
    from unrolled.data.randomness import Purpose, draws

    parts = load_digits(_file(options.data or "mnist"), options.side, options.order == "permuted")
    # Which pictures validate does not depend on the run's seed, so that runs can be compared.
    order = draws(0, Purpose.SPLIT).permutation(len(parts.train.digits))
    kept = min(VALIDATED, len(order) // 10)
    valid, train = np.sort(order[:kept]), np.sort(order[kept:])

    def gather(places: np.ndarray) -> Fields:
        return parts.train.sequences(train[places])

    return Data(
        train=Shuffled(gather, len(train), options.batch_size, options.seed, "pictures"),
        held_out={
            "valid": HeldOutPictures(parts.train, valid),
            "test": HeldOutPictures(parts.test, np.arange(len(parts.test.digits))),
        },
        assets={},
        summary=(
            f"digits of {options.side} × {options.side} pixels, {ORDERS[options.order]}: "
            f"{len(train):,} to train on, {kept:,} to validate, {len(parts.test.digits):,} to test"
        ),
        digest=parts.digest,
    )


def _file(data: str) -> Path:
    """The file that `--data` means: a path, or a data set's name."""
    from unrolled.data import named

    if Path(data).exists():
        return Path(data)
    if named.is_known(data):
        return named.find(data)
    raise DataError(
        f"{data}: no such file, and no data set of that name.{did_you_mean(data, named.names())} "
        "`unrolled data list` shows the data sets"
    )


@dataclass(frozen=True)
class HeldOutPictures:
    """Pictures that are not trained on, by their numbers."""

    digits: Digits
    numbers: Any

    def __iter__(self) -> Iterator[Batch]:
        from unrolled.batch import Batch

        for first in range(0, len(self.numbers), BATCH):
            yield Batch(self.digits.sequences(self.numbers[first : first + BATCH]))


def model(options: PermutedPixelsOptions, assets: Mapping[str, Any]) -> SequenceClassifier:
    from unrolled.cells import registry
    from unrolled.models.sequence_classifier import SequenceClassifier

    return SequenceClassifier(
        registry.find(options.cell), 1, options.sizes, CLASSES, dropout=options.dropout, kernel=options.kernel
    )


def metric(model: SequenceClassifier, part: HeldOutPictures) -> dict[str, float]:
    """Nats a picture, and how many are named rightly."""
    import torch

    total, count, share = 0.0, 0, answers.Share()
    for one in answers.measured(model, part):
        total, count = total + one.total, count + one.count
        right = one.answer.argmax(-1) == one.batch.tensor("targets")[0]
        share.add(right, torch.ones_like(right))
    return {"loss": total / count, "accuracy": share.percent()}


def settings(options: PermutedPixelsOptions) -> Settings:
    return answers.settings(options, Budget(minutes=10))


RECIPE = Recipe(
    summary="Which digit a picture shows, read one pixel at a time",
    source="Le et al. 2015, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, arXiv:1504.00941",
    Options=PermutedPixelsOptions,
    data=data,
    model=model,
    metric=metric,
    settings=settings,
    unit="%",
    units={"loss": "nats/picture"},
    target_data=("", "mnist"),
    peers=(
        ("uRNN, permuted", 91.4, PAPER),
        ("uRNN, row by row", 95.1, PAPER),
        ("LSTM, permuted", 88.0, PAPER),
        ("LSTM, row by row", 98.2, PAPER),
        ("IRNN, permuted", 82.0, IRNN_PAPER),
        ("IRNN, row by row", 97.0, IRNN_PAPER),
    ),
)
